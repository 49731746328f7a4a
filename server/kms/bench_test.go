package kms_test

import (
	"fmt"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/record"
)

// BenchmarkEncrypt is all that a node does for an Encrypt between HTTP and the
// commit, the partition's work included.
func BenchmarkEncrypt(b *testing.B) {
	f := newFixture(b)
	f.useSoft()
	id, _ := f.create(m{})
	op := f.operations["Encrypt"]
	body := encode(b, m{"KeyId": id, "Plaintext": make([]byte, 64), "EncryptionContext": m{"tenant": "17", "purpose": "benchmark"}})
	b.ReportAllocs()
	for b.Loop() {
		request, err := op.Decode(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := record.Perform(b.Context(), fsm.NewTxn(f.node.View()), f.newCall(), &op, request); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkManyGrants is an Encrypt by the right of a grant, and one by that of a
// policy, with one grant and one user, and with as many as there can be.
func BenchmarkManyGrants(b *testing.B) {
	for _, size := range []struct {
		name          string
		grants, users int
	}{{"one", 1, 1}, {"many", 50_000, 2000}} {
		f := newFixture(b)
		f.useSoft()
		f.manyUsers(account, size.users)
		f.manyUsers(foreign, size.users)
		ann := f.user(foreign, "ann")
		id, arn := f.create(m{})
		f.manyGrants(id, ann, size.grants)
		op := f.operations["Encrypt"]
		body := encode(b, m{"KeyId": arn, "Plaintext": make([]byte, 64), "EncryptionContext": contextOf("tenant", "x", "volume", "0")})
		for _, by := range []string{"policy", "grant"} {
			f.caller = nil
			if by == "grant" {
				f.caller = ann
			}
			b.Run(fmt.Sprintf("%s/%s", by, size.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					request, err := op.Decode(body)
					if err != nil {
						b.Fatal(err)
					}
					if _, refusal, err := record.Perform(b.Context(), fsm.NewTxn(f.node.View()), f.newCall(), &op, request); err != nil || refusal != nil {
						b.Fatal(refusal, err)
					}
				}
			})
		}
	}
}
