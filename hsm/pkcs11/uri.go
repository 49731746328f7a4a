package pkcs11

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// URI names a module and a token in it: the part of a PKCS#11 URI (RFC 7512)
// that a partition needs. An empty field was not given and matches everything.
type URI struct {
	ModulePath   string // file of the module, or a folder for ModuleName
	ModuleName   string // name of the module without "lib" and suffix
	Token        string // CK_TOKEN_INFO label
	Serial       string
	Manufacturer string
	Model        string
	Slot         *uint // CK_SLOT_ID
}

const scheme = "pkcs11:"

// ParseURI reads a URI that names at least a module. What it does not know is
// an error: an attribute that is passed over could be the one that tells two
// tokens apart. PINs do not belong into URIs, which are logged and shown; they
// are refused, without repeating them.
func ParseURI(s string) (*URI, error) {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return nil, fmt.Errorf("PKCS#11 URI does not begin with %q", scheme)
	}
	path, query, _ := strings.Cut(rest, "?")
	u := &URI{}
	seen := make(map[string]bool)
	if err := eachAttribute(path, ";", seen, u.setPath); err != nil {
		return nil, err
	}
	if err := eachAttribute(query, "&", seen, u.setQuery); err != nil {
		return nil, err
	}
	if u.ModulePath == "" && u.ModuleName == "" {
		return nil, errors.New("PKCS#11 URI names no module: module-path or module-name is missing")
	}
	return u, nil
}

// eachAttribute calls set with each attribute of a component, decoded.
func eachAttribute(component, separator string, seen map[string]bool, set func(name, value string) error) error {
	if component == "" {
		return nil
	}
	for _, attribute := range strings.Split(component, separator) {
		name, raw, ok := strings.Cut(attribute, "=")
		if name == "pin-value" || name == "pin-source" {
			return fmt.Errorf("PKCS#11 URI has %s: the PIN belongs into a file or the environment", name)
		}
		if !ok || name == "" {
			return errors.New("PKCS#11 URI has an attribute that is not name=value")
		}
		if seen[name] { // RFC 7512 §2.3: at most once
			return fmt.Errorf("PKCS#11 URI has %s twice", name)
		}
		seen[name] = true
		value, err := percentDecode(raw)
		if err != nil {
			return fmt.Errorf("PKCS#11 URI: %s: %w", name, err)
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *URI) setPath(name, value string) error {
	switch name {
	case "token":
		u.Token = value
	case "serial":
		u.Serial = value
	case "manufacturer":
		u.Manufacturer = value
	case "model":
		u.Model = value
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, strconv.IntSize)
		if err != nil {
			return fmt.Errorf("PKCS#11 URI: slot-id %q is no number", value)
		}
		id := uint(n)
		u.Slot = &id
	default:
		return fmt.Errorf("PKCS#11 URI has %q, which does not choose a token", name)
	}
	return nil
}

func (u *URI) setQuery(name, value string) error {
	switch name {
	case "module-path":
		u.ModulePath = value
	case "module-name":
		u.ModuleName = value
	default:
		return fmt.Errorf("PKCS#11 URI has the query attribute %q, which is unknown", name)
	}
	return nil
}

// percentDecode undoes RFC 3986 §2.1. A byte that must be encoded and is not is
// taken as it is, except for what no component may hold.
func percentDecode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", errors.New("a percent sign stands alone")
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New("a percent sign is not followed by two hexadecimal digits")
			}
			c = byte(n)
			i += 2
		} else if c <= ' ' || c == 0x7f || c == '#' {
			return "", fmt.Errorf("the byte 0x%02x must be percent-encoded", c)
		}
		if c == 0 {
			return "", errors.New("a zero byte names nothing")
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// String is the URI in canonical form: what ParseURI reads back.
func (u *URI) String() string {
	var path, query []string
	add := func(to *[]string, name, value string) {
		if value != "" {
			*to = append(*to, name+"="+percentEncode(value))
		}
	}
	add(&path, "token", u.Token)
	add(&path, "serial", u.Serial)
	add(&path, "manufacturer", u.Manufacturer)
	add(&path, "model", u.Model)
	if u.Slot != nil {
		add(&path, "slot-id", strconv.FormatUint(uint64(*u.Slot), 10))
	}
	add(&query, "module-path", u.ModulePath)
	add(&query, "module-name", u.ModuleName)
	return scheme + strings.Join(path, ";") + "?" + strings.Join(query, "&")
}

func percentEncode(s string) string {
	const plain = "-._~/" // with letters and digits: allowed in both components
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// module answers the file to load.
func (u *URI) module() string {
	if u.ModuleName == "" {
		return u.ModulePath
	}
	suffix := ".so"
	if runtime.GOOS == "darwin" {
		suffix = ".dylib"
	}
	return filepath.Join(u.ModulePath, "lib"+u.ModuleName+suffix)
}

// matches says whether a token in a slot is meant.
func (u *URI) matches(slot uint, t tokenInfo) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return (u.Slot == nil || *u.Slot == slot) &&
		is(u.Token, t.label) && is(u.Serial, t.serial) &&
		is(u.Manufacturer, t.manufacturer) && is(u.Model, t.model)
}
