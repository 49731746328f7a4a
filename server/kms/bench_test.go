package kms_test

import (
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
