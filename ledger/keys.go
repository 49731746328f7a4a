package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrUntrusted is returned for a checkpoint that not enough of the known keys
// have signed.
var ErrUntrusted = errors.New("ledger: not enough signatures")

// Keys are the verifier keys that somebody trusts: a ledger's, and its
// cosigners'. They are immutable and safe for concurrent use.
type Keys struct {
	logs      []key
	cosigners []key
	// quorum is how many different cosigners must have signed.
	quorum int
}

// ParseKeys reads verifier keys, one a line; empty lines and those that begin
// with # are skipped. A checkpoint is trusted when a majority of the cosigners
// among them has signed it. It answers ErrMalformed, also where there is no key.
func ParseKeys(r io.Reader) (*Keys, error) {
	k := &Keys{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parsed, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		if parsed.kind == logKey {
			k.logs = append(k.logs, parsed)
		} else {
			k.cosigners = append(k.cosigners, parsed)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading verifier keys: %w", err)
	}
	if len(k.logs) == 0 || len(k.cosigners) == 0 {
		return nil, fmt.Errorf("%w: there must be a key of the ledger and one of a cosigner", ErrMalformed)
	}
	k.quorum = len(cosignerNames(k.cosigners))/2 + 1
	return k, nil
}

func cosignerNames(keys []key) map[string]bool {
	names := make(map[string]bool)
	for _, k := range keys {
		names[k.name] = true
	}
	return names
}

// Verifier implements note.Verifiers. A name may have several keys.
func (k *Keys) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, known := range slices.Concat(k.logs, k.cosigners) {
		if known.name == name && known.KeyHash() == hash {
			return known, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// Open verifies a signed checkpoint: a key of the ledger that its text names, and
// a majority of the cosigners, must have signed it. It answers ErrUntrusted and
// ErrMalformed.
func (k *Keys) Open(signed []byte) (Checkpoint, error) {
	opened, err := note.Open(signed, k)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	c, err := ParseCheckpoint(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	own, voices := false, make(map[string]bool)
	for _, s := range opened.Sigs {
		known := k.find(s)
		own = own || known.kind == logKey && known.name == c.Origin
		if known.kind == cosignerKey {
			voices[known.name] = true
		}
	}
	switch {
	case !own:
		return Checkpoint{}, fmt.Errorf("%w: none in the name of %q", ErrUntrusted, c.Origin)
	case len(voices) < k.quorum:
		return Checkpoint{}, fmt.Errorf("%w: %d of %d cosigners, want %d", ErrUntrusted,
			len(voices), len(cosignerNames(k.cosigners)), k.quorum)
	}
	return c, nil
}

// find answers the key of a verified signature.
func (k *Keys) find(s note.Signature) key {
	v, err := k.Verifier(s.Name, s.Hash)
	if err != nil {
		return key{}
	}
	return v.(key)
}

// Merge answers a note with the signatures of all of the given notes, which have
// one text, each once. It verifies none of them.
func Merge(notes ...[]byte) ([]byte, error) {
	var text string
	var lines []string
	for i, n := range notes {
		body, signatures, ok := strings.Cut(string(n), "\n\n")
		if !ok || i > 0 && body != text {
			return nil, fmt.Errorf("%w: these are not notes of one text", ErrMalformed)
		}
		text = body
		for line := range strings.Lines(signatures) {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return []byte(text + "\n\n" + strings.Join(lines, "")), nil
}
