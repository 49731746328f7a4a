package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
)

// override sets every setting whose environment variable is present: COFRE_ and
// the key in capitals, with an underscore for each dot (api.listen is
// COFRE_API_LISTEN). Lists are separated by commas.
func (c *Config) override(lookup func(string) (string, bool)) error {
	return overrideStruct(reflect.ValueOf(c).Elem(), "COFRE", lookup)
}

func overrideStruct(v reflect.Value, prefix string, lookup func(string) (string, bool)) error {
	var errs []error
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("toml")
		if tag == "-" {
			continue
		}
		name := prefix + "_" + strings.ToUpper(tag)
		if v.Field(i).Kind() == reflect.Struct {
			errs = append(errs, overrideStruct(v.Field(i), name, lookup))
			continue
		}
		if value, ok := lookup(name); ok {
			errs = append(errs, setField(v.Field(i), name, value))
		}
	}
	return errors.Join(errs...)
}

func setField(field reflect.Value, name, value string) error {
	switch target := field.Addr().Interface().(type) {
	case *string:
		*target = value
	case *[]string:
		*target = strings.Split(value, ",")
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%s: %q is no whole number", name, value)
		}
		*target = n
	case encoding.TextUnmarshaler:
		if err := target.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	default:
		return fmt.Errorf("%s: a %s cannot be set by the environment", name, field.Type())
	}
	return nil
}

// readSecrets finds the PIN: COFRE_HSM_PIN, or the file that hsm.pin_file or
// COFRE_HSM_PIN_FILE names (override has put the latter over the former).
func (c *Config) readSecrets(lookup func(string) (string, bool)) error {
	if pin, ok := lookup("COFRE_HSM_PIN"); ok {
		c.HSM.PIN = NewSecret(pin)
		return nil
	}
	if c.HSM.PINFile == "" {
		return nil
	}
	b, err := os.ReadFile(c.HSM.PINFile)
	if err != nil {
		return fmt.Errorf("hsm.pin_file: %w", err)
	}
	c.HSM.PIN = NewSecret(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
	return nil
}
