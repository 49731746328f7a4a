package pkcs11

import (
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	u, err := ParseURI("pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;serial=9ba6;manufacturer=Snake%20Oil,%20Inc.;model=1.0;slot-id=327?module-path=/usr/lib/softhsm/libsofthsm2.so")
	if err != nil {
		t.Fatal(err)
	}
	want := URI{
		ModulePath: "/usr/lib/softhsm/libsofthsm2.so", Token: "The Software PKCS#11 Softtoken",
		Serial: "9ba6", Manufacturer: "Snake Oil, Inc.", Model: "1.0", Slot: u.Slot,
	}
	if *u != want || u.Slot == nil || *u.Slot != 327 {
		t.Errorf("got %+v", u)
	}
	if u.module() != want.ModulePath {
		t.Errorf("the module is %s", u.module())
	}
	u, err = ParseURI("pkcs11:?module-name=softhsm2&module-path=/usr/lib/softhsm")
	if err != nil || !strings.HasPrefix(u.module(), "/usr/lib/softhsm/libsofthsm2.") {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestParseURIRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":            "",
		"another scheme":     "file:///x?module-path=/m",
		"upper-case scheme":  "PKCS11:?module-path=/m",
		"no module":          "pkcs11:token=x",
		"a PIN":              "pkcs11:token=x?module-path=/m&pin-value=123456",
		"a PIN in the path":  "pkcs11:token=x;pin-value=123456?module-path=/m",
		"a PIN file":         "pkcs11:token=x?module-path=/m&pin-source=file:/123456",
		"twice":              "pkcs11:token=x;token=y?module-path=/m",
		"an object":          "pkcs11:object=x?module-path=/m",
		"a vendor attribute": "pkcs11:x-a=b?module-path=/m",
		"an unknown query":   "pkcs11:token=x?module-path=/m&x-a=b",
		"no value":           "pkcs11:token?module-path=/m",
		"no name":            "pkcs11:=x?module-path=/m",
		"an empty attribute": "pkcs11:token=x;?module-path=/m",
		"half a percent":     "pkcs11:token=x%2?module-path=/m",
		"a wrong percent":    "pkcs11:token=x%2g?module-path=/m",
		"a signed percent":   "pkcs11:token=x%+2?module-path=/m",
		"a zero byte":        "pkcs11:token=x%00?module-path=/m",
		"a space":            "pkcs11:token=x y?module-path=/m",
		"a slot name":        "pkcs11:slot-id=first?module-path=/m",
		"a negative slot":    "pkcs11:slot-id=-1?module-path=/m",
	} {
		u, err := ParseURI(s)
		if err == nil {
			t.Errorf("%s: %q parses as %+v", name, s, u)
		} else if strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: the error shows the PIN: %v", name, err)
		}
	}
}

func TestURIMatches(t *testing.T) {
	token := tokenInfo{label: "label", manufacturer: "maker", model: "model", serial: "serial"}
	for s, want := range map[string]bool{
		"":                                   true,
		"token=label":                        true,
		"token=other":                        false,
		"serial=serial;token=label":          true,
		"serial=serial;token=other":          false,
		"slot-id=3;manufacturer=maker":       true,
		"slot-id=4;manufacturer=maker":       false,
		"manufacturer=other":                 false,
		"model=other":                        false,
		"model=model;token=label;serial=ser": false,
	} {
		u, err := ParseURI("pkcs11:" + s + "?module-path=/m")
		if err != nil {
			t.Fatal(err)
		}
		if u.matches(3, token) != want {
			t.Errorf("%q matches: %v", s, !want)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("pkcs11:token=a%20b;serial=1;slot-id=0?module-path=/usr/lib/m.so")
	f.Add("pkcs11:?module-name=softhsm2")
	f.Add("pkcs11:token=%C3%BC;model=m,;manufacturer=x:y[z]?module-path=/a&module-name=b")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURI(s)
		if err != nil {
			return
		}
		again, err := ParseURI(u.String())
		if err != nil {
			t.Fatalf("%q becomes %q: %v", s, u.String(), err)
		}
		if again.String() != u.String() {
			t.Fatalf("%q becomes %q, then %q", s, u.String(), again.String())
		}
	})
}
