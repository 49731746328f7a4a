package wipe

import "testing"

func TestValue(t *testing.T) {
	type inner struct {
		words [4]uint64
		flag  bool
	}
	type plainMemory struct {
		inner inner
		bytes [3]byte
	}
	p := &plainMemory{inner{[4]uint64{1, 2, 3, 4}, true}, [3]byte{5, 6, 7}}
	Value(p)
	if *p != (plainMemory{}) {
		t.Errorf("left %+v", *p)
	}
}

func TestValueLeavesTheRestAlone(t *testing.T) {
	key := []byte{1}
	text := "text"
	followed := struct {
		n int
		p *int
	}{7, new(int)}
	var none *[4]byte
	Value(nil)
	Value(none)
	Value("text")
	Value(&key)
	Value(&text)
	Value(&followed)
	if key[0] != 1 || text != "text" || followed.n != 7 || followed.p == nil {
		t.Errorf("wiped %v, %q or %+v", key, text, followed)
	}
}
