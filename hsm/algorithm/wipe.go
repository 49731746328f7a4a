package algorithm

import (
	"crypto/ecdsa"
	"math/big"
)

// wipeInt overwrites a number.
func wipeInt(n *big.Int) {
	if n != nil {
		clear(n.Bits())
	}
}

// scalar is the private number of an ECDSA key, to be wiped or encoded.
func scalar(key *ecdsa.PrivateKey) *big.Int {
	//lint:ignore SA1019 there is no other way to reach it
	return key.D
}
