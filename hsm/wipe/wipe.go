// Package wipe overwrites secrets in memory that belongs to other packages. It
// holds nothing, and is safe because it leaves alone what it does not understand.
package wipe

import (
	"reflect"
	"unsafe"
)

// Value overwrites what a pointer points to: the key schedule of a cipher.Block
// or cipher.AEAD, the private key of a package that has no method for it. Nobody
// may use the value afterwards. It does nothing where value is not a pointer to
// plain memory, so that another implementation costs us the wiping and nothing
// else; tests of its users notice.
func Value(value any) {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Pointer || v.IsNil() || !plain(v.Type().Elem()) {
		return
	}
	clear(unsafe.Slice((*byte)(v.UnsafePointer()), v.Type().Elem().Size()))
}

// plain says whether a type holds nothing that the garbage collector follows.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(t.Elem())
	default:
		return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128
	}
}
