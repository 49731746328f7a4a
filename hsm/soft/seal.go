package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/wipe"
)

// Cost is what Argon2id (RFC 9106) costs, for us and for who guesses PINs.
type Cost struct {
	Passes    uint32
	MemoryKiB uint32
	Threads   uint8
}

// DefaultCost is the second recommended option of RFC 9106 §4.
var DefaultCost = Cost{Passes: 3, MemoryKiB: 64 << 10, Threads: 4}

// valid keeps a damaged header from taking all memory or time: the header is
// authenticated only after it has been used.
func (c Cost) valid() bool {
	return c.Passes >= 1 && c.Passes <= 1<<10 && c.Threads >= 1 &&
		c.MemoryKiB >= 8*uint32(c.Threads) && c.MemoryKiB <= 4<<20
}

// seal is the key of the partition file. The file, big-endian, version 1:
//
//	 0          8         9        13       17        18      34      46
//	┌──────────┬─────────┬────────┬────────┬─────────┬───────┬───────┬─────────────┐
//	│ COFREHSM │ version │ passes │ memory │ threads │ salt  │ nonce │ vault ‖ tag │
//	│    8     │    1    │   4    │ 4, KiB │    1    │  16   │  12   │   n ‖ 16    │
//	└──────────┴─────────┴────────┴────────┴─────────┴───────┴───────┴─────────────┘
//	└─────────────────────── aad ────────────────────────────┘
//
// The key is Argon2id(PIN, salt). The salt stays for the life of the file, so
// that a change need not ask for the PIN; each writing draws a nonce, and there
// are far fewer than 2^32 (SP 800-38D §8.3).
type seal struct {
	header  [sealNonceAt]byte
	key     []byte
	release func()
}

const (
	sealMagic   = "COFREHSM"
	sealVersion = 1
	sealSaltAt  = 18
	sealNonceAt = 34
	sealTextAt  = 46
	sealKeySize = 32
	maxFile     = 1 << 20 // bytes; a partition holds a few KiB
)

func newSeal(pin hsm.PIN, cost Cost) (*seal, error) {
	var header [sealNonceAt]byte
	copy(header[:], sealMagic)
	header[8] = sealVersion
	binary.BigEndian.PutUint32(header[9:], cost.Passes)
	binary.BigEndian.PutUint32(header[13:], cost.MemoryKiB)
	header[17] = cost.Threads
	_, _ = rand.Read(header[sealSaltAt:]) // never fails
	return deriveSeal(pin, header)
}

func deriveSeal(pin hsm.PIN, header [sealNonceAt]byte) (*seal, error) {
	cost := Cost{
		Passes:    binary.BigEndian.Uint32(header[9:]),
		MemoryKiB: binary.BigEndian.Uint32(header[13:]),
		Threads:   header[17],
	}
	if !cost.valid() {
		return nil, fmt.Errorf("the cost %+v is out of bounds", cost)
	}
	s := &seal{header: header}
	s.key, s.release = protectedMemory(sealKeySize)
	derived := argon2.IDKey([]byte(pin), header[sealSaltAt:], cost.Passes, cost.MemoryKiB, cost.Threads, sealKeySize)
	copy(s.key, derived)
	clear(derived)
	return s, nil
}

// encode seals the bytes of a vault into those of a file.
func (s *seal) encode(plaintext []byte) ([]byte, error) {
	aead, err := newGCM(s.key)
	if err != nil {
		return nil, err
	}
	defer wipe.Value(aead)
	out := make([]byte, sealTextAt, sealTextAt+len(plaintext)+hsm.TagSize)
	copy(out, s.header[:])
	_, _ = rand.Read(out[sealNonceAt:]) // never fails
	return aead.Seal(out, out[sealNonceAt:], plaintext, s.header[:]), nil
}

// decode opens the bytes of a file.
func decode(file []byte, pin hsm.PIN) (*seal, *vault, error) {
	switch {
	case len(file) < sealTextAt+hsm.TagSize || string(file[:8]) != sealMagic:
		return nil, nil, errors.New("this is no partition file")
	case file[8] != sealVersion:
		return nil, nil, fmt.Errorf("version %d of the partition file is unknown", file[8])
	}
	s, err := deriveSeal(pin, [sealNonceAt]byte(file))
	if err != nil {
		return nil, nil, err
	}
	v, err := s.open(file)
	if err != nil {
		s.free()
		return nil, nil, err
	}
	return s, v, nil
}

func (s *seal) open(file []byte) (*vault, error) {
	aead, err := newGCM(s.key)
	if err != nil {
		return nil, err
	}
	defer wipe.Value(aead)
	text := file[sealTextAt:]
	plaintext, release := protectedMemory(len(text) - hsm.TagSize)
	if _, err := aead.Open(plaintext[:0], file[sealNonceAt:sealTextAt], text, s.header[:]); err != nil {
		release()
		return nil, ErrWrongPIN
	}
	return parseVault(plaintext, release)
}

// free wipes the key; a nil seal is free.
func (s *seal) free() {
	if s != nil {
		clear(s.key)
		s.release()
		s.key = nil
	}
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("expanding an AES key: %w", err)
	}
	defer wipe.Value(block) // NewGCM copies it
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making AES-GCM: %w", err)
	}
	return aead, nil
}
