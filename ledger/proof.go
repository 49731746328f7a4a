package ledger

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader is the first line of a proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

const extraPrefix = "extra "

// maxPath bounds the hashes of an inclusion proof: a tree holds fewer than 2^63
// records.
const maxPath = 63

// Proof shows that a record is in a ledger, to somebody who has nothing but the
// record and verifier keys (C2SP tlog-proof).
type Proof struct {
	Index      int64 // of the record, from 0
	Path       tlog.RecordProof
	Checkpoint []byte // a signed note
	// Extra is what the maker of the proof adds, nil for nothing: Cofre adds the
	// record. The proof alone does not vouch for it, Verify does for a record.
	Extra []byte
}

// Prove makes the proof of a record by a signed checkpoint that covers it.
func Prove(index int64, signed []byte, hashes tlog.HashReader) (*Proof, error) {
	c, err := CheckpointOf(signed)
	if err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(c.Size, index, hashes)
	if err != nil {
		return nil, fmt.Errorf("proving record %d of %d: %w", index, c.Size, err)
	}
	return &Proof{Index: index, Path: path, Checkpoint: signed}, nil
}

// Marshal writes the proof in its textual form.
func (p *Proof) Marshal() []byte {
	var b strings.Builder
	b.WriteString(proofHeader + "\n")
	if p.Extra != nil {
		b.WriteString(extraPrefix + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	return append([]byte(b.String()+"\n"), p.Checkpoint...)
}

// ParseProof reads a proof. It answers ErrMalformed.
func ParseProof(b []byte) (*Proof, error) {
	head, checkpoint, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != proofHeader {
		return nil, fmt.Errorf("%w: this is no %s", ErrMalformed, proofHeader)
	}
	lines = lines[1:]
	p := &Proof{Checkpoint: []byte(checkpoint)}
	var err error
	if extra, ok := strings.CutPrefix(lines[0], extraPrefix); ok {
		if p.Extra, err = base64.StdEncoding.DecodeString(extra); err != nil {
			return nil, fmt.Errorf("%w: the extra data of a proof is no base64", ErrMalformed)
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 1+maxPath {
		return nil, fmt.Errorf("%w: a proof of %d lines", ErrMalformed, len(lines))
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	if !ok {
		return nil, fmt.Errorf("%w: a proof without an index", ErrMalformed)
	}
	if p.Index, err = parseNumber(number); err != nil {
		return nil, fmt.Errorf("the index of a proof: %w", err)
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("the path of a proof: %w", err)
		}
		p.Path = append(p.Path, h)
	}
	return p, nil
}

// Verify says that a record, exactly the bytes that the ledger keeps, is in the
// ledger whose keys are given, and answers the checkpoint that shows it.
func (p *Proof) Verify(record []byte, keys *Keys) (Checkpoint, error) {
	c, err := keys.Open(p.Checkpoint)
	if err != nil {
		return c, err
	}
	if err := tlog.CheckRecord(p.Path, c.Size, c.Root, p.Index, tlog.RecordHash(record)); err != nil {
		return c, fmt.Errorf("record %d is not in the ledger: %w", p.Index, err)
	}
	return c, nil
}
