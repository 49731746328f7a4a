package kms

import (
	"strconv"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
)

// keyParameters are the requestParameters of operations that only name a key.
// The name is recorded as the client wrote it; resources says which key it was.
type keyParameters struct {
	KeyID string `json:"keyId"`
}

// keyElements are the responseElements of operations that change a key: its ARN,
// also where the API itself answers nothing.
type keyElements struct {
	KeyID string `json:"keyId"`
}

// useParameters are the requestParameters of operations that use a key.
type useParameters struct {
	KeyID               string            `json:"keyId,omitempty"`
	EncryptionAlgorithm string            `json:"encryptionAlgorithm,omitempty"`
	KeySpec             string            `json:"keySpec,omitempty"`
	NumberOfBytes       int               `json:"numberOfBytes,omitempty"`
	EncryptionContext   encryptionContext `json:"encryptionContext,omitempty"`
	DryRun              bool              `json:"dryRun,omitempty"`
}

// AppendJSON appends what encoding/json would.
func (p *useParameters) AppendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.text("keyId", p.KeyID)
	o.text("encryptionAlgorithm", p.EncryptionAlgorithm)
	o.text("keySpec", p.KeySpec)
	if p.NumberOfBytes != 0 {
		o.name("numberOfBytes")
		o.b = strconv.AppendInt(o.b, int64(p.NumberOfBytes), 10)
	}
	if len(p.EncryptionContext) > 0 {
		o.name("encryptionContext")
		o.b = p.EncryptionContext.AppendJSON(o.b)
	}
	if p.DryRun {
		o.name("dryRun")
		o.b = append(o.b, "true"...)
	}
	return append(o.b, '}')
}

// AppendJSON appends the context as a JSON object, as CloudTrail records it.
func (e encryptionContext) AppendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	for _, p := range e {
		if o.some {
			o.b = append(o.b, ',')
		}
		o.some = true
		o.b = append(record.AppendString(o.b, p.Key), ':')
		o.b = record.AppendString(o.b, p.Value)
	}
	return append(o.b, '}')
}

// MarshalJSON makes encoding/json agree with AppendJSON.
func (e encryptionContext) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// materialData is the additionalEventData of operations that use a key.
type materialData struct {
	KeyMaterialID string `json:"keyMaterialId"`
}

// AppendJSON appends what encoding/json would.
func (m *materialData) AppendJSON(b []byte) []byte {
	return append(record.AppendString(append(b, `{"keyMaterialId":`...), m.KeyMaterialID), '}')
}

// object appends a JSON object member by member.
type object struct {
	b    []byte
	some bool // it has a member
}

func (o *object) name(name string) {
	if o.some {
		o.b = append(o.b, ',')
	}
	o.some = true
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

// text appends a member, unless it is empty.
func (o *object) text(name, value string) {
	if value != "" {
		o.name(name)
		o.b = record.AppendString(o.b, value)
	}
}

// changed records the responseElements of a change to a key.
func changed(c *call.Call, k key) { c.Record.Response = &keyElements{KeyID: k.arn} }
