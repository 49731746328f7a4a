//go:build cgo && unix

package pkcs11_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
)

// TestSoftHSMForgets has another user of the module, in the same process, end
// sessions, login and the module itself, while three partitions work on it.
func TestSoftHSMForgets(t *testing.T) {
	var uris []string
	var pin hsm.PIN
	for i := range 3 {
		var uri string
		uri, pin = hsmtest.NewToken(t, fmt.Sprint("node", i))
		uris = append(uris, uri)
	}
	var all []*pkcs11.Partition
	for _, uri := range uris {
		p := openToken(t, uri, pin)
		must(t, p.CreateDomain(t.Context(), 1))
		all = append(all, p)
	}
	_, module, _ := strings.Cut(uris[0], "module-path=")
	other := p11.New(module)
	slots, err := other.GetSlotList(true)
	must(t, err)
	for name, forget := range map[string]func() error{
		"nothing":  func() error { return nil },
		"sessions": func() error { return other.CloseAllSessions(slots[0]) },
		"module":   other.Finalize,
	} {
		t.Run(name, func(t *testing.T) {
			var kept []hsm.WrappedKey
			for _, p := range all {
				key, err := p.GenerateKey(t.Context(), 1, hsm.SymmetricDefault)
				must(t, err)
				must(t, roundTrip(t, p, key)) // its handles are cached
				kept = append(kept, key)
			}
			for i, p := range all { // C_Finalize beside another call is undefined (PKCS #11 v2.40 §5.4)
				if !p.AwaitQuiet() {
					t.Fatalf("token %d: a call hangs", i)
				}
			}
			must(t, forget())
			var wg sync.WaitGroup
			for i, p := range all {
				wg.Go(func() {
					for range 50 {
						if err := roundTrip(t, p, kept[i]); err != nil {
							t.Errorf("token %d: %v", i, err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
	for _, p := range all {
		must(t, p.Check(t.Context()))
		must(t, p.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func roundTrip(t *testing.T, p *pkcs11.Partition, key hsm.WrappedKey) error {
	sealed, err := p.Encrypt(t.Context(), key, []byte("text"), nil)
	if err != nil {
		return err
	}
	text, err := p.Decrypt(t.Context(), key, sealed, nil)
	if err == nil && string(text) != "text" {
		err = fmt.Errorf("decrypted %q", text)
	}
	return err
}
