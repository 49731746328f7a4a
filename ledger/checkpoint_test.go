package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/cofre-kms/cofre/ledger"
)

const origin = "cofre.example/ledger"

// signed is a checkpoint, with the keys of nodes that sign it.
type signed struct {
	ledger.Checkpoint
	private map[string]ed25519.PrivateKey
}

func newSigned(t *testing.T, nodes int) *signed {
	s := &signed{
		Checkpoint: ledger.Checkpoint{Origin: origin, Size: 12345, Root: leaf(1)},
		private:    make(map[string]ed25519.PrivateKey),
	}
	for i := range nodes {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		s.private[fmt.Sprintf("node%d", i+1)] = private
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *signed) public(node string) ed25519.PublicKey {
	return s.private[node].Public().(ed25519.PublicKey)
}

// keys are the lines of verifier keys of all nodes.
func (s *signed) keys() string {
	var b strings.Builder
	for node := range s.private {
		fmt.Fprintln(&b, ledger.LogKey(origin, s.public(node)))
		fmt.Fprintln(&b, ledger.CosignerKey(origin, node, s.public(node)))
	}
	return b.String()
}

// by is the checkpoint signed by some nodes.
func (s *signed) by(t *testing.T, nodes ...string) []byte {
	t.Helper()
	var notes [][]byte
	for _, node := range nodes {
		n, err := ledger.Sign(s.Checkpoint, node, s.private[node], time.Unix(1_700_000_000, 0))
		must(t, err)
		notes = append(notes, n)
	}
	merged, err := ledger.Merge(notes...)
	must(t, err)
	return merged
}

func parseKeys(t *testing.T, text string) *ledger.Keys {
	t.Helper()
	keys, err := ledger.ParseKeys(strings.NewReader(text))
	must(t, err)
	return keys
}

func TestMajorityMakesACheckpoint(t *testing.T) {
	s := newSigned(t, 3)
	keys := parseKeys(t, "# three nodes\n\n"+s.keys())
	for _, nodes := range [][]string{{"node1", "node2"}, {"node3", "node2"}, {"node1", "node2", "node3"}, {"node1", "node1", "node2"}} {
		if c, err := keys.Open(s.by(t, nodes...)); err != nil || c != s.Checkpoint {
			t.Errorf("of %v: %+v, %v", nodes, c, err)
		}
	}
	for _, nodes := range [][]string{{"node1"}, {"node2", "node2"}} {
		if _, err := keys.Open(s.by(t, nodes...)); !errors.Is(err, ledger.ErrUntrusted) {
			t.Errorf("of %v: %v", nodes, err)
		}
	}
	strangers := newSigned(t, 3)
	if _, err := keys.Open(strangers.by(t, "node1", "node2")); !errors.Is(err, ledger.ErrUntrusted) {
		t.Errorf("of strangers: %v", err)
	}
}

// TestOthersReadTheCheckpoint has another implementation read and verify what
// this one writes.
func TestOthersReadTheCheckpoint(t *testing.T) {
	s := newSigned(t, 3)
	checkpoint := s.by(t, "node1", "node3")
	for node := range s.private {
		own, err := note.NewVerifier(ledger.LogKey(origin, s.public(node))) // the Go project's, knows Ed25519
		must(t, err)
		cosigner, err := formats.NewVerifier(ledger.CosignerKey(origin, node, s.public(node)))
		must(t, err)
		c, _, n, err := log.ParseCheckpoint(checkpoint, origin, own, cosigner)
		if node == "node2" {
			if err == nil {
				t.Error("node2 has not signed, and verifies")
			}
			continue
		}
		must(t, err)
		if int64(c.Size) != s.Size || !bytes.Equal(c.Hash, s.Root[:]) || len(n.Sigs) != 2 {
			t.Errorf("%s: read %+v with %d signatures", node, c, len(n.Sigs))
		}
		for _, signature := range n.Sigs {
			if signature.Name == origin {
				continue
			}
			if at, err := formats.CoSigV1Timestamp(signature); err != nil || at.Unix() != 1_700_000_000 {
				t.Errorf("%s: cosigned at %v, %v", node, at, err)
			}
		}
	}
}

// TestOneTypeIsNotTheOther: one key makes both signatures of a node.
func TestOneTypeIsNotTheOther(t *testing.T) {
	s := newSigned(t, 1)
	public := s.public("node1")
	n, err := note.Open(s.by(t, "node1"), parseKeys(t, s.keys()))
	must(t, err)
	own, err := ledger.ParseVerifierKey(ledger.LogKey(origin, public))
	must(t, err)
	cosigner, err := ledger.ParseVerifierKey(ledger.CosignerKey(origin, "node1", public))
	must(t, err)
	text := []byte(n.Text)
	for _, v := range []note.Verifier{own, cosigner} {
		if v.Verify(text, nil) || v.Verify(text, make([]byte, 64)) || v.Verify(text, make([]byte, 72)) {
			t.Errorf("%s takes a signature of zeros", v.Name())
		}
	}
	if own.KeyHash() == cosigner.KeyHash() {
		t.Error("both keys have one hash")
	}
}

func TestVerifierKeysAreStrict(t *testing.T) {
	s := newSigned(t, 1)
	good := ledger.CosignerKey(origin, "node1", s.public("node1"))
	v, err := ledger.ParseVerifierKey(good)
	must(t, err)
	if fmt.Sprint(v) != good {
		t.Errorf("read %v of %s", v, good)
	}
	for _, bad := range []string{
		"", "name", "name+00000000", good[1:], good + "A", strings.Replace(good, "+", " +", 1),
		strings.Replace(good, "/node1", "/node2", 1), "+" + good,
	} {
		if _, err := ledger.ParseVerifierKey(bad); !errors.Is(err, ledger.ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := ledger.ParseKeys(strings.NewReader(s.keys() + bad + "x")); !errors.Is(err, ledger.ErrMalformed) {
			t.Errorf("a list with %q: %v", bad, err)
		}
	}
	if _, err := ledger.ParseKeys(strings.NewReader(good)); !errors.Is(err, ledger.ErrMalformed) {
		t.Errorf("no key of the ledger: %v", err)
	}
}

func TestCheckpointText(t *testing.T) {
	c := ledger.Checkpoint{Origin: origin, Size: 0, Root: leaf(0)}
	again, err := ledger.ParseCheckpoint(c.String())
	if err != nil || again != c {
		t.Errorf("%+v became %+v, %v", c, again, err)
	}
	extended, err := ledger.ParseCheckpoint(c.String() + "extension\n")
	if err != nil || extended != c {
		t.Errorf("with an extension line: %+v, %v", extended, err)
	}
	lines := strings.SplitAfter(c.String(), "\n")
	for _, bad := range []string{
		"", "\n\n\n", lines[0] + lines[1], strings.TrimSuffix(c.String(), "\n"), c.String() + "\n",
		lines[0] + "00\n" + lines[2], lines[0] + "-1\n" + lines[2], lines[0] + "+1\n" + lines[2], lines[0] + "9223372036854775808\n" + lines[2],
		lines[0] + lines[1] + "AAAA\n", lines[0] + lines[1] + strings.Replace(lines[2], "=", "", 1), "\n" + lines[1] + lines[2],
	} {
		if c, err := ledger.ParseCheckpoint(bad); !errors.Is(err, ledger.ErrMalformed) {
			t.Errorf("%q: %+v, %v", bad, c, err)
		}
	}
}

func TestMergeWantsOneText(t *testing.T) {
	s := newSigned(t, 2)
	first := s.by(t, "node1")
	s.Size++
	if _, err := ledger.Merge(first, s.by(t, "node2")); !errors.Is(err, ledger.ErrMalformed) {
		t.Errorf("two texts: %v", err)
	}
	if _, err := ledger.Merge([]byte("no note")); !errors.Is(err, ledger.ErrMalformed) {
		t.Errorf("no note: %v", err)
	}
}

func FuzzProof(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\norigin\n1\nAAAA\n\n"))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 73894\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ledger.ParseProof(b)
		if err != nil {
			return
		}
		again, err := ledger.ParseProof(p.Marshal())
		if err != nil || again.Index != p.Index || !bytes.Equal(again.Checkpoint, p.Checkpoint) || len(again.Path) != len(p.Path) {
			t.Errorf("%q became %q: %v", b, p.Marshal(), err)
		}
	})
}
