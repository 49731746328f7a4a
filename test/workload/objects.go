package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cofre-kms/cofre/test/history"
)

// Objects are what the clients of one cluster work on together: few at a time,
// so that they meet. It is safe for concurrent use.
type Objects struct {
	mu       sync.Mutex
	keys     []string // ids in use now
	made     []string // ids of all keys whose creation was acknowledged
	aliases  []string
	sealed   []Sealed
	tenants  []*tenant
	imported []*imported
	related  []string // ids of multi-Region keys in use
	problems []string
}

// Sealed is a ciphertext that a client got.
type Sealed struct {
	Key                   string
	User                  string // whose key it is
	Region                string // of a multi-Region key: where it was encrypted
	Origin                string // history.External of an imported key
	Plaintext, Ciphertext []byte
}

// ordinary says whether the key is one of those that all clients share.
func ordinary(s Sealed) bool { return s.User == "" && s.Region == "" && s.Origin == "" }

const (
	activeKeys = 4
	aliasNames = 3
)

// NewObjects makes an empty set.
func NewObjects() *Objects {
	o := &Objects{}
	for i := range aliasNames {
		o.aliases = append(o.aliases, fmt.Sprintf("alias/%d", i))
	}
	return o
}

// addKey takes a new key into use; it replaces one where there are enough.
func (o *Objects) addKey(id string, r *rand.Rand) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made = append(o.made, id)
	if len(o.keys) < activeKeys {
		o.keys = append(o.keys, id)
		return
	}
	o.keys[r.IntN(len(o.keys))] = id
}

// key picks one that is in use, "" where there is none.
func (o *Objects) key(r *rand.Rand) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.keys) == 0 {
		return ""
	}
	return o.keys[r.IntN(len(o.keys))]
}

func (o *Objects) alias(r *rand.Rand) string { return o.aliases[r.IntN(len(o.aliases))] }

func (o *Objects) addSealed(op *history.Op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = append(o.sealed, Sealed{
		Key: op.Key, User: op.User, Region: op.Region, Origin: op.Origin, Plaintext: op.Plaintext, Ciphertext: op.Ciphertext,
	})
}

// ciphertext picks one of the newest that suits, since their keys are in use.
func (o *Objects) ciphertext(r *rand.Rand, suits func(Sealed) bool) (Sealed, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var recent []Sealed
	for _, s := range slices.Backward(o.sealed[max(0, len(o.sealed)-500):]) {
		if suits(s) && len(recent) < 50 {
			recent = append(recent, s)
		}
	}
	if len(recent) == 0 {
		return Sealed{}, false
	}
	return recent[r.IntN(len(recent))], true
}

// Made are the keys whose creation was acknowledged.
func (o *Objects) Made() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.made...)
}

// Sealed are all ciphertexts.
func (o *Objects) Sealed() []Sealed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Sealed(nil), o.sealed...)
}

// Problems are what the clients saw that no history is needed to judge.
func (o *Objects) Problems() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.problems...)
}

func (o *Objects) fail(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.problems = append(o.problems, fmt.Sprintf(format, args...))
}
