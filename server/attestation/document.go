package attestation

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Document is what a verified attestation document says. It is not to be changed.
type Document struct {
	ModuleID string
	Time     time.Time // when it was made
	// PCRs are an enclave's registers, NitroTPM those of an instance's NitroTPM, by
	// number from 0 to 31: 32, 48 or 64 bytes each. One of them may be nil.
	PCRs, NitroTPM map[int][]byte
	// Recipient is the key that the enclave made for answers; nil where it made none.
	Recipient *rsa.PublicKey
	// UserData and Nonce are the enclave's own; nil where it sent none.
	UserData, Nonce []byte
}

// ImageDigest is the digest of the enclave's image, PCR0, in lower-case hex; ""
// where there is none.
func (d *Document) ImageDigest() string { return hex.EncodeToString(d.PCRs[0]) }

// Lengths in bytes ("Attestation document specification" in the AWS Nitro
// Enclaves user guide).
const (
	maxCertificate = 1024
	maxUserData    = 1024
	maxPCRs        = 32
	// maxBundle bounds the certificates of a bundle; AWS's have four.
	maxBundle = 8
)

// Sizes of a recipient's key in bits.
const minKey, maxKey = 2048, 8192

// payload is the signed part of a document.
type payload struct {
	document    Document
	certificate []byte
	bundle      [][]byte
}

// fields are the members of a payload, each still encoded.
type fields map[string]cbor.RawMessage

// parsePayload reads a payload and holds it against the "Syntactical validation"
// of the specification. Members that it does not know are ignored: the hypervisor
// has signed them, and nothing here depends on them.
func parsePayload(b []byte) (*payload, error) {
	var f fields
	if kindOf(b) != kindMap || strict.Unmarshal(b, &f) != nil {
		return nil, refuse("its payload is no map of names to values")
	}
	p := new(payload)
	for _, read := range []func(fields) string{
		p.readModuleID, p.readDigest, p.readTime, p.readPCRs, p.readCertificate, p.readBundle, p.readPublicKey, p.readUserData,
	} {
		if wrong := read(f); wrong != "" {
			return nil, refuse("%s is missing or malformed", wrong)
		}
	}
	return p, nil
}

// The readers answer the name of the member that is wrong.

func (p *payload) readModuleID(f fields) string {
	if strict.Unmarshal(f["module_id"], &p.document.ModuleID) != nil || p.document.ModuleID == "" {
		return "module_id"
	}
	return ""
}

func (p *payload) readDigest(f fields) string {
	var digest string
	if strict.Unmarshal(f["digest"], &digest) != nil || digest != "SHA384" {
		return "digest"
	}
	return ""
}

func (p *payload) readTime(f fields) string {
	var ms uint64
	if kindOf(f["timestamp"]) != kindUint || strict.Unmarshal(f["timestamp"], &ms) != nil || ms == 0 || ms > math.MaxInt64 {
		return "timestamp"
	}
	p.document.Time = time.UnixMilli(int64(ms)).UTC()
	return ""
}

func (p *payload) readPCRs(f fields) string {
	var ok bool
	if p.document.PCRs, ok = pcrsOf(f["pcrs"]); !ok {
		return "pcrs"
	}
	if p.document.NitroTPM, ok = pcrsOf(f["nitrotpm_pcrs"]); !ok {
		return "nitrotpm_pcrs"
	}
	if p.document.PCRs == nil && p.document.NitroTPM == nil {
		return "pcrs"
	}
	return ""
}

func (p *payload) readCertificate(f fields) string {
	var ok bool
	if p.certificate, ok = bytesOf(f["certificate"], 1, maxCertificate); !ok {
		return "certificate"
	}
	return ""
}

func (p *payload) readBundle(f fields) string {
	var list []cbor.RawMessage
	if kindOf(f["cabundle"]) != kindArray || strict.Unmarshal(f["cabundle"], &list) != nil || len(list) == 0 || len(list) > maxBundle {
		return "cabundle"
	}
	for _, raw := range list {
		der, ok := bytesOf(raw, 1, maxCertificate)
		if !ok {
			return "cabundle"
		}
		p.bundle = append(p.bundle, der)
	}
	return ""
}

func (p *payload) readPublicKey(f fields) string {
	if absent(f["public_key"]) {
		return ""
	}
	der, ok := bytesOf(f["public_key"], 1, maxUserData)
	if !ok {
		return "public_key"
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return "public_key"
	}
	recipient, ok := key.(*rsa.PublicKey)
	if !ok || recipient.N.BitLen() < minKey || recipient.N.BitLen() > maxKey {
		return "public_key"
	}
	p.document.Recipient = recipient
	return ""
}

func (p *payload) readUserData(f fields) string {
	for name, to := range map[string]*[]byte{"user_data": &p.document.UserData, "nonce": &p.document.Nonce} {
		if absent(f[name]) {
			continue
		}
		var ok bool
		if *to, ok = bytesOf(f[name], 0, maxUserData); !ok {
			return name
		}
	}
	return ""
}

// pcrsOf reads registers; absent ones are nil.
func pcrsOf(raw cbor.RawMessage) (pcrs map[int][]byte, ok bool) {
	if absent(raw) {
		return nil, true
	}
	var encoded map[uint64]cbor.RawMessage
	if kindOf(raw) != kindMap || strict.Unmarshal(raw, &encoded) != nil || len(encoded) == 0 {
		return nil, false
	}
	pcrs = map[int][]byte{}
	for i, raw := range encoded {
		value, ok := bytesOf(raw, 32, 64)
		if !ok || i >= maxPCRs || len(value)%16 != 0 {
			return nil, false
		}
		pcrs[int(i)] = value
	}
	return pcrs, true
}
