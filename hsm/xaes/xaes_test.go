package xaes_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

func TestVectors(t *testing.T) {
	for _, v := range hsmtest.Vectors() {
		if got := hsmtest.SealXAES(t, v.Key, v.Nonce, v.Plaintext, v.AAD); !bytes.Equal(got, v.Sealed) {
			t.Errorf("got %s", hex.EncodeToString(got))
		}
	}
}

// TestAccumulated leaves out the run of a million iterations with -short.
func TestAccumulated(t *testing.T) {
	runs := map[int]string{10_000: hsmtest.Accumulated10K}
	if !testing.Short() {
		runs[1_000_000] = hsmtest.Accumulated1M
	}
	for iterations, want := range runs {
		if got := hsmtest.Accumulate(t, iterations, func(hsmtest.Vector) {}); got != want {
			t.Errorf("%d iterations: got %s", iterations, got)
		}
	}
}
