package kms

import (
	"strconv"

	"github.com/cofre-kms/cofre/hsm"
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
	KeyID                  string            `json:"keyId,omitempty"`
	EncryptionAlgorithm    string            `json:"encryptionAlgorithm,omitempty"`
	KeySpec                string            `json:"keySpec,omitempty"`
	NumberOfBytes          int               `json:"numberOfBytes,omitempty"`
	KeyPairSpec            string            `json:"keyPairSpec,omitempty"`
	EncryptionContext      encryptionContext `json:"encryptionContext,omitempty"`
	MessageType            string            `json:"messageType,omitempty"`
	SigningAlgorithm       string            `json:"signingAlgorithm,omitempty"`
	MacAlgorithm           string            `json:"macAlgorithm,omitempty"`
	KeyAgreementAlgorithm  string            `json:"keyAgreementAlgorithm,omitempty"`
	EncapsulationAlgorithm string            `json:"encapsulationAlgorithm,omitempty"`
	DryRun                 bool              `json:"dryRun,omitempty"`
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
	o.text("keyPairSpec", p.KeyPairSpec)
	if len(p.EncryptionContext) > 0 {
		o.name("encryptionContext")
		o.b = p.EncryptionContext.AppendJSON(o.b)
	}
	o.text("messageType", p.MessageType)
	o.text("signingAlgorithm", p.SigningAlgorithm)
	o.text("macAlgorithm", p.MacAlgorithm)
	o.text("keyAgreementAlgorithm", p.KeyAgreementAlgorithm)
	o.text("encapsulationAlgorithm", p.EncapsulationAlgorithm)
	o.flag("dryRun", p.DryRun)
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

// materialData is the additionalEventData of operations that make or use a key's
// material.
type materialData struct {
	KeyMaterialID string `json:"keyMaterialId,omitempty"` // of symmetric encryption keys only, as AWS has it
	// SoftwareAssisted says that the partition only keeps the material, and that it
	// was used in the node's memory. AWS has no such keys.
	SoftwareAssisted bool `json:"softwareAssisted,omitempty"`
	// Of a key in a custom key store.
	CustomKeyStoreID string `json:"customKeyStoreId,omitempty"`
	XksKeyID         string `json:"xksKeyId,omitempty"`
	BackingKey       string `json:"backingKey,omitempty"` // JSON, as AWS has it
	// Recipient is the enclave that the answer is for.
	Recipient *recipientData `json:"recipient,omitempty"`
}

// AppendJSON appends what encoding/json would.
func (m *materialData) AppendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.text("keyMaterialId", m.KeyMaterialID)
	o.flag("softwareAssisted", m.SoftwareAssisted)
	o.text("customKeyStoreId", m.CustomKeyStoreID)
	o.text("xksKeyId", m.XksKeyID)
	o.text("backingKey", m.BackingKey)
	if m.Recipient != nil {
		o.name("recipient")
		of := object{b: append(o.b, '{')}
		of.name("attestationDocumentModuleId")
		of.b = record.AppendString(of.b, m.Recipient.ModuleID)
		of.text("attestationDocumentEnclaveImageDigest", m.Recipient.ImageDigest)
		o.b = append(of.b, '}')
	}
	return append(o.b, '}')
}

// recordMaterial records which material of a key was used, and where.
func (s *Service) recordMaterial(c *call.Call, k key, id string) {
	data := s.materialData(k, id)
	if said, ok := c.Record.Additional.(*materialData); ok {
		data.Recipient = said.Recipient
	}
	if data != (materialData{}) {
		c.Record.Additional = &data
	}
}

func (s *Service) materialData(k key, id string) materialData {
	return materialData{
		KeyMaterialID: shownMaterial(k, id), SoftwareAssisted: s.cfg.HSM.Info().Assists(k.Spec) && k.BackingKey == "",
		CustomKeyStoreID: k.KeyStoreID, XksKeyID: k.XksKeyID, BackingKey: backing(k),
	}
}

// shownMaterial is a material's id as answers and records have it: with symmetric
// encryption keys only, and not with those in custom key stores (CurrentKeyMaterialId
// in the AWS KMS API reference).
func shownMaterial(k key, id string) string {
	if k.Spec == hsm.SymmetricDefault && k.KeyStoreID == "" {
		return id
	}
	return ""
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

// flag appends a member, unless it is false.
func (o *object) flag(name string, value bool) {
	if value {
		o.name(name)
		o.b = append(o.b, "true"...)
	}
}

// changed records the responseElements of a change to a key.
func changed(c *call.Call, k key) { c.Record.Response = &keyElements{KeyID: k.arn} }
