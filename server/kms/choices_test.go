package kms_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/server/shape"
)

// choices makes requests of the bytes of a fuzzer: each byte is a choice, so
// that a fuzzer which changes one changes one thing. When they are used up every
// choice is the first, and the first is always good.
type choices struct {
	data []byte
	// known are values that clients have come by, by what their members are
	// called in the end: keys, ciphertexts, tokens.
	known map[string][]any
}

// of answers a number below n.
func (c *choices) of(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	b := int(c.data[0])
	c.data = c.data[1:]
	return b % n
}

// rarely is true once in n times.
func (c *choices) rarely(n int) bool { return c.of(n) == n-1 }

func pick[T any](c *choices, list ...T) T { return list[c.of(len(list))] }

// like makes a request of one that is good, with up to two members changed.
func (c *choices) like(example m, d shape.Description) m {
	request := maps.Clone(example)
	for range c.of(3) {
		name := pick(c, sorted(d.Members)...)
		if delete(request, name); c.of(3) > 0 {
			request[name] = c.value(name, d.Members[name])
		}
	}
	return request
}

// request makes a request of a shape.
func (c *choices) request(d shape.Description) m {
	request := m{}
	for _, name := range sorted(d.Members) {
		required := slices.Contains(d.Required, name)
		if required && !c.rarely(16) || !required && c.of(3) == 1 {
			request[name] = c.value(name, d.Members[name])
		}
	}
	if c.rarely(32) {
		request["NoSuchMember"] = c.anything(2)
	}
	return request
}

func sorted[V any](of map[string]V) []string {
	var names []string
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// value is one that a client knows, one by the constraints, or one of another
// type.
func (c *choices) value(name string, d shape.Description) any {
	if c.rarely(48) {
		return c.anything(3)
	}
	for _, suffix := range sorted(c.known) {
		if strings.HasSuffix(name, suffix) && !c.rarely(8) {
			return pick(c, c.known[suffix]...)
		}
	}
	switch d.Type {
	case "boolean":
		return c.of(2) == 1
	case "timestamp":
		return pick[any](c, 1.9e9, 0, -1, 1e300, 1.8e9, "2026-11-24T12:00:00Z")
	case "integer", "long":
		return c.number(d)
	case "blob":
		return c.bytes(d)
	case "list":
		return c.list(name, d)
	case "map":
		return c.pairs(d)
	case "structure":
		return c.request(d)
	}
	return c.text(d)
}

func (c *choices) number(d shape.Description) any {
	return pick[any](c, max(d.Min, 1), d.Max, d.Min-1, d.Max+1, 0, 32, 365, -1, 1<<31, 1<<40, 1.5, 1e300)
}

// size is a length, mostly an allowed one.
func (c *choices) size(d shape.Description) int {
	most := d.Max
	if most == 0 || most > 40_000 { // a body has at most 256 KiB
		most = 4096
	}
	return pick(c, max(d.Min, 1), min(most, 32), min(most, 64), min(most, 1088), most, most+1, 0)
}

func (c *choices) bytes(d shape.Description) []byte {
	b := make([]byte, c.size(d))
	for i := range b {
		if len(c.data) == 0 {
			break
		}
		b[i] = byte(c.of(256))
		if i > 8 { // the rest need not be paid for
			break
		}
	}
	return b
}

func (c *choices) text(d shape.Description) string {
	if len(d.Enum) > 0 && !c.rarely(16) {
		return pick(c, quick(d.Enum)...)
	}
	unit := pick(c, "a", "1", "alias/a", "a-", "é", "\u2028", "\x00", "😀", "arn:aws:kms:us-east-1:1:key/")
	size := c.size(d)
	text := strings.Repeat(unit, size/len(unit)+1)
	return strings.ToValidUTF8(text[:size], "")
}

// quick leaves the enumerated values out for which large RSA keys are made.
func quick(enum []string) []string {
	if i := slices.Index(enum, "RSA_2048"); i < 0 || len(enum) < 5 {
		return enum
	}
	return slices.DeleteFunc(slices.Clone(enum), func(s string) bool { return strings.HasPrefix(s, "RSA_") })
}

func (c *choices) list(name string, d shape.Description) any {
	list := []any{}
	for range pick(c, 1, 2, 0, 3, min(d.Max+1, 60)) {
		list = append(list, c.value(strings.TrimSuffix(name, "s"), *d.Member))
	}
	return list
}

func (c *choices) pairs(d shape.Description) any {
	pairs := m{}
	for range pick(c, 1, 2, 0, 9) {
		pairs[pick(c, "a", "aws:x", "", "é", "A", "kms:CallerAccount", c.text(*d.Key))] = c.value("", *d.Value)
	}
	return pairs
}

// anything is any JSON.
func (c *choices) anything(depth int) any {
	if depth == 0 {
		return nil
	}
	return pick[any](c, nil, "", "x", 7, -1.5, true, "AA==", "AA=", []any{c.anything(depth - 1)},
		m{"KeyId": c.anything(depth - 1)}, []any{}, m{})
}

// learn keeps what an answer has.
func (c *choices) learn(answer m) {
	for name, value := range answer {
		switch v := value.(type) {
		case m:
			c.learn(v)
		case []any:
			for _, element := range v {
				if inner, ok := element.(m); ok {
					c.learn(inner)
				}
			}
		case string:
			c.knows(name, v)
		}
	}
}

// learned are the members of answers that requests have under the same name, and
// under others.
var learned = map[string][]string{
	"KeyId": {"KeyId"}, "Arn": {"KeyId"}, "AliasArn": {"KeyId"}, "AliasName": {"AliasName", "KeyId"},
	"CiphertextBlob": {"CiphertextBlob"}, "PrivateKeyCiphertextBlob": {"CiphertextBlob"}, "Ciphertext": {"CiphertextBlob"},
	"Signature": {"Signature"}, "Mac": {"Mac"}, "PublicKey": {"PublicKey"}, "GrantId": {"GrantId"}, "GrantToken": {"GrantToken"},
	"NextMarker": {"Marker"}, "ImportToken": {"ImportToken"}, "KeyMaterialId": {"KeyMaterialId"}, "CurrentKeyMaterialId": {"KeyMaterialId"},
	"CustomKeyStoreId": {"CustomKeyStoreId"}, "Policy": {"Policy"},
}

func (c *choices) knows(name string, value any) {
	for _, as := range learned[name] {
		c.known[as] = append(c.known[as], value)
	}
}

// drawn are bytes for choices, the same for each seed.
func drawn(seed uint64, n int) []byte {
	source := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(source.Uint32())
	}
	return b
}
