package soft

import (
	"reflect"
	"unsafe"
)

// wipe overwrites the key schedule inside a value of the standard library's
// crypto packages (a cipher.Block, a cipher.AEAD): they have no method for it.
// Nobody may use the value afterwards. It does nothing where the value is not a
// pointer to plain memory, so that another implementation costs us the wiping
// and nothing else; a test notices.
func wipe(value any) {
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
