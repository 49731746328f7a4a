package kms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type importKeyMaterialRequest struct {
	KeyID                  string
	ImportToken            []byte
	EncryptedKeyMaterial   []byte
	ValidTo                int64 // Unix milliseconds; 0 where it is absent
	ExpirationModel        string
	ImportType             string
	KeyMaterialDescription string
	KeyMaterialID          string
}

func importKeyMaterialShape() *shape.Struct[importKeyMaterialRequest] {
	type r = importKeyMaterialRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Bytes("ImportToken", ciphertextType(), func(q *r) *[]byte { return &q.ImportToken }).Required(),
		shape.Bytes("EncryptedKeyMaterial", ciphertextType(), func(q *r) *[]byte { return &q.EncryptedKeyMaterial }).Required(),
		shape.Time("ValidTo", func(q *r) *int64 { return &q.ValidTo }),
		shape.Text("ExpirationModel", expirationModelType(), func(q *r) *string { return &q.ExpirationModel }),
		shape.Text("ImportType", importTypeType(), func(q *r) *string { return &q.ImportType }),
		shape.Text("KeyMaterialDescription", keyMaterialDescriptionType(), func(q *r) *string { return &q.KeyMaterialDescription }),
		shape.Text("KeyMaterialId", keyMaterialIDType(), func(q *r) *string { return &q.KeyMaterialID }),
	)
}

type importKeyMaterialParameters struct {
	KeyID                  string `json:"keyId"`
	ValidTo                string `json:"validTo,omitempty"`
	ExpirationModel        string `json:"expirationModel"`
	ImportType             string `json:"importType,omitempty"`
	KeyMaterialDescription string `json:"keyMaterialDescription,omitempty"`
	KeyMaterialID          string `json:"keyMaterialId,omitempty"`
}

// access is what the request is authorized by.
func (q *importKeyMaterialRequest) access(c *call.Call) access {
	a := with(c, "kms:expirationmodel", q.model())
	if q.ValidTo != 0 {
		a.more["kms:validto"] = []string{time.UnixMilli(q.ValidTo).UTC().Format(time.RFC3339)}
	}
	return a
}

// materialElements are the responseElements of operations that change one of a
// key's materials.
type materialElements struct {
	KeyID         string `json:"keyId"`
	KeyMaterialID string `json:"keyMaterialId,omitempty"`
}

type materialResponse struct {
	KeyID         string `json:"KeyId"`
	KeyMaterialID string `json:"KeyMaterialId,omitempty"`
}

func (s *Service) importKeyMaterial(ctx context.Context, tx *fsm.Txn, c *call.Call, req *importKeyMaterialRequest) (*materialResponse, error) {
	c.Record.Parameters = req.recorded()
	if err := req.check(c.Time); err != nil {
		return nil, err
	}
	k, err := s.keyFor(tx, c, req.access(c), req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := external(k); err != nil {
		return nil, err
	}
	if err := req.suits(k); err != nil {
		return nil, err
	}
	wrapped, id, err := s.unwrapImport(ctx, tx, c, k, req)
	if err != nil {
		return nil, err
	}
	all, err := materials(tx.View(), k.Key)
	if err != nil {
		return nil, err
	}
	m, err := admit(k, all, req, id)
	if err != nil {
		return nil, err
	}
	m.Wrapped = wrapped
	if err := replaceMaterial(tx, k, all, m, req, c.Time); err != nil {
		return nil, err
	}
	c.Record.Response = &materialElements{KeyID: k.arn, KeyMaterialID: id}
	return &materialResponse{KeyID: k.arn, KeyMaterialID: id}, nil
}

// unwrapImport has the partition take in the material, and names it.
func (s *Service) unwrapImport(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, req *importKeyMaterialRequest) (hsm.WrappedKey, string, error) {
	token, err := s.openToken(ctx, tx, c, k, req.ImportToken)
	if err != nil {
		return hsm.WrappedKey{}, "", err
	}
	if err := checkEncryptedSize(token, len(req.EncryptedKeyMaterial)); err != nil {
		return hsm.WrappedKey{}, "", err
	}
	in := hsm.Import{Wrapping: token.Wrapping, Algorithm: token.Algorithm, Material: req.EncryptedKeyMaterial}
	wrapped, fingerprint, err := s.cfg.HSM.ImportKey(ctx, s.cfg.Generation(), k.Spec, in)
	switch {
	case errors.Is(err, hsm.ErrInvalidCiphertext):
		err = invalidCiphertext()
	case errors.Is(err, hsm.ErrInvalidKey):
		err = incorrectKeyMaterial()
	case errors.Is(err, hsm.ErrUnsupported):
		err = unsupported("No HSM partition imports keys of the key spec %s under %s.", k.Spec, token.Algorithm)
	case err != nil:
		err = partitionFault("importing key material", err)
	}
	return wrapped, importedID(k.ID, fingerprint), err
}

// admit answers the record that the imported material belongs to: that of the
// same material, or a new one. Material that an asymmetric or an HMAC key has not
// had before is for one that never had any.
func admit(k key, all []*state.KeyMaterial, req *importKeyMaterialRequest, id string) (*state.KeyMaterial, error) {
	fresh := req.ImportType == newKeyMaterial || req.ImportType == "" && len(all) == 0
	if fresh && k.Replica() { // it takes what its primary key has
		return nil, notPrimary(k)
	}
	i := slices.IndexFunc(all, func(m *state.KeyMaterial) bool { return m.ID == id })
	switch {
	case fresh != (i < 0), req.KeyMaterialID != "" && req.KeyMaterialID != id:
		return nil, incorrectKeyMaterial()
	case i >= 0:
		known := *all[i]
		return &known, nil
	}
	if p := slices.IndexFunc(all, func(m *state.KeyMaterial) bool { return m.Pending }); p >= 0 {
		return nil, invalidState("New key material (id: %s) cannot be imported into KMS key %s, because another key material (id: %s) "+
			"is pending rotation.", id, k.arn, all[p].ID)
	}
	return &state.KeyMaterial{ID: id, Pending: k.MaterialID != ""}, nil
}

// replaceMaterial writes a material that has been imported, and what follows from
// it for the key and for the steward's agenda.
func replaceMaterial(tx *fsm.Txn, k key, all []*state.KeyMaterial, m *state.KeyMaterial, req *importKeyMaterialRequest, now time.Time) error {
	if m.Created == 0 {
		m.Created = now.UnixMilli()
	}
	if req.KeyMaterialDescription != "" {
		m.Description = req.KeyMaterialDescription
	}
	if m.ValidTo != 0 {
		state.Expirations.Delete(tx, expiry(k.Key, m)...)
	}
	m.ValidTo = req.ValidTo
	if m.ValidTo != 0 {
		if err := state.Expirations.Put(tx, &state.Expiration{}, expiry(k.Key, m)...); err != nil {
			return err
		}
	}
	if err := state.KeyMaterials.Put(tx, m, k.AccountID, k.Region, k.ID, m.ID); err != nil {
		return err
	}
	next := *k.Key
	if !m.Pending && next.MaterialID == "" {
		next.MaterialID = m.ID
	}
	next.Settle(append(without(all, m.ID), m))
	if err := put(tx, &next); err != nil {
		return err
	}
	return expect(tx, &next, m)
}
