package algorithm

import (
	"reflect"
	"unsafe"
)

// wipePlain overwrites what a pointer points to, the private keys of packages
// that have no method for it, if that is plain memory: what the garbage collector
// does not follow. It does nothing otherwise, so that another implementation
// costs us the wiping and nothing else; a test notices.
func wipePlain(value any) {
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer && !v.IsNil() && plain(v.Type().Elem()) {
		clear(unsafe.Slice((*byte)(v.UnsafePointer()), v.Type().Elem().Size()))
	}
}

// plain says whether a type holds no pointer.
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
