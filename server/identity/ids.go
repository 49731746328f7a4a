package identity

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// ids draws identifiers in AWS's forms ("IAM identifiers", IAM user guide) from
// the HSM's random number generator.
type ids struct {
	hsm HSM
	err error // of the first draw that failed
}

// account draws an account id: 12 digits, the first not 0, so that nobody's
// spreadsheet shortens it.
func (d *ids) account(ctx context.Context) string {
	n := binary.BigEndian.Uint64(d.draw(ctx, 8))
	return fmt.Sprintf("%d", 100_000_000_000+n%900_000_000_000)
}

// unique draws the unique id of a user, role, group or policy: a prefix of four
// letters that says which, and 17 characters.
func (d *ids) unique(ctx context.Context, prefix string) string {
	return prefix + base32.StdEncoding.EncodeToString(d.draw(ctx, 15))[:17]
}

// accessKey draws an access key id: AKIA and 16 characters, 80 random bits.
func (d *ids) accessKey(ctx context.Context) string {
	return "AKIA" + base32.StdEncoding.EncodeToString(d.draw(ctx, 10))
}

// temporary draws the access key id of a session: ASIA and 16 characters.
func (d *ids) temporary(ctx context.Context) string {
	return "ASIA" + base32.StdEncoding.EncodeToString(d.draw(ctx, 10))
}

// secret draws a secret access key: 40 characters, 240 random bits.
func (d *ids) secret(ctx context.Context) Secret {
	random := d.draw(ctx, 30)
	defer clear(random)
	return Secret{base64.StdEncoding.AppendEncode(nil, random)}
}

// uuid draws a version 4 UUID (RFC 9562 §5.4).
func (d *ids) uuid(ctx context.Context) string {
	b := d.draw(ctx, 16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (d *ids) draw(ctx context.Context, n int) []byte {
	b := make([]byte, n)
	if err := d.hsm.Random(ctx, b); err != nil && d.err == nil {
		d.err = fmt.Errorf("drawing an identifier: %w", err)
	}
	return b
}
