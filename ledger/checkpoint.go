package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrMalformed is returned for what is not in the form that its C2SP
// specification gives.
var ErrMalformed = errors.New("ledger: malformed")

// Checkpoint is what a ledger was at a size (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string // names the ledger
	Size   int64  // records
	Root   tlog.Hash
}

// String is the checkpoint as the text of a signed note. Cofre writes no
// extension lines.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// CheckpointOf reads a signed checkpoint and verifies none of its signatures: for
// those who have made it themselves.
func CheckpointOf(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, fmt.Errorf("%w: the checkpoint is not signed", ErrMalformed)
	}
	return ParseCheckpoint(text + "\n")
}

// ParseCheckpoint reads the text of a note. It skips extension lines, on which
// nothing here rests. It answers ErrMalformed.
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, ended := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ended || len(lines) < 3 {
		return Checkpoint{}, fmt.Errorf("%w: a checkpoint has three lines or more", ErrMalformed)
	}
	for _, line := range lines {
		if line == "" {
			return Checkpoint{}, fmt.Errorf("%w: a checkpoint has no empty line", ErrMalformed)
		}
	}
	size, err := parseNumber(lines[1])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the size of a checkpoint: %w", err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the root of a checkpoint: %w", err)
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// parseNumber reads a decimal number without sign and leading zeros.
func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%w: %q is no number", ErrMalformed, text)
	}
	return n, nil
}

// parseHash reads a SHA-256 hash in standard base64.
func parseHash(text string) (h tlog.Hash, err error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("%w: %q is no hash", ErrMalformed, text)
	}
	return tlog.Hash(raw), nil
}
