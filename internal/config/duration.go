package config

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that is written as in Go: "5s", "1m30s".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 5s", text)
	}
	*d = Duration(parsed)
	return nil
}

// String is the duration as it is written.
func (d Duration) String() string { return time.Duration(d).String() }
