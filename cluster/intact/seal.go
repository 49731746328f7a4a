package intact

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/cofre-kms/cofre/cluster/durable"
)

// ErrChanged is returned when a file does not hold what was written to it.
var ErrChanged = errors.New("not what was written")

// changed says which file has changed, and how that shows.
func changed(path, format string, args ...any) error {
	return fmt.Errorf("%s is %w: %s", path, ErrChanged, fmt.Sprintf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealLine is how the last line of a sealed file begins.
const sealLine = "\ncrc32c "

// Seal appends a line with a checksum to the content of a small file.
func Seal(content []byte) []byte {
	return fmt.Appendf(bytes.Clone(content), "%s%s\n", sealLine, Checksum(content))
}

// Checksum answers the CRC-32C of a text in hexadecimal.
func Checksum(text []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) }

// Unseal answers the content of a file that Seal has made. The path is for the
// error.
func Unseal(path string, sealed []byte) ([]byte, error) {
	at := bytes.LastIndex(sealed, []byte(sealLine))
	if at < 0 {
		return nil, changed(path, "its checksum is missing")
	}
	if content := sealed[:at]; bytes.Equal(Seal(content), sealed) {
		return content, nil
	}
	return nil, changed(path, "its checksum differs")
}

// WriteFile replaces a small file durably, sealed.
func WriteFile(path string, content []byte) error {
	return durable.WriteFile(path, Seal(content), 0o600)
}

// ReadFile answers the content of a file that WriteFile has written.
func ReadFile(path string) ([]byte, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Unseal(path, sealed)
}
