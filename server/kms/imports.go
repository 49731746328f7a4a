package kms

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// maxValidity is how long imported material can be valid (ImportKeyMaterial, AWS
// KMS API reference).
const maxValidity = 365 * 24 * time.Hour

// Values of the model.
const (
	expires        = "KEY_MATERIAL_EXPIRES"
	doesNotExpire  = "KEY_MATERIAL_DOES_NOT_EXPIRE"
	newKeyMaterial = "NEW_KEY_MATERIAL"
)

func (q *importKeyMaterialRequest) model() string {
	if q.ExpirationModel == "" {
		return expires
	}
	return q.ExpirationModel
}

// check refuses what is wrong with a request in itself.
func (q *importKeyMaterialRequest) check(now time.Time) error {
	switch {
	case q.model() == expires && q.ValidTo == 0:
		return invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case q.model() == doesNotExpire && q.ValidTo != 0:
		return invalid("The parameter ValidTo cannot be specified for a key with an expiration model of KEY_MATERIAL_DOES_NOT_EXPIRE")
	case q.ValidTo != 0 && q.ValidTo <= now.UnixMilli():
		return invalid("ValidTo must be in the future")
	case q.ValidTo > now.Add(maxValidity).UnixMilli():
		return invalid("ValidTo must not be more than 365 days in the future")
	case q.KeyMaterialID != "" && q.ImportType == newKeyMaterial:
		return invalid("KeyMaterialId cannot be specified with an ImportType of NEW_KEY_MATERIAL")
	}
	return nil
}

// suits refuses parameters that only symmetric encryption keys have, since no
// other key has more than one material.
func (q *importKeyMaterialRequest) suits(k key) error {
	if k.Spec == hsm.SymmetricDefault || q.ImportType == "" && q.KeyMaterialDescription == "" && q.KeyMaterialID == "" {
		return nil
	}
	return invalid("ImportType, KeyMaterialDescription and KeyMaterialId are valid only for symmetric encryption KMS keys")
}

func (q *importKeyMaterialRequest) recorded() *importKeyMaterialParameters {
	p := &importKeyMaterialParameters{
		KeyID: q.KeyID, ExpirationModel: q.model(), ImportType: q.ImportType,
		KeyMaterialDescription: q.KeyMaterialDescription, KeyMaterialID: q.KeyMaterialID,
	}
	if q.ValidTo != 0 {
		p.ValidTo = timestamp(q.ValidTo).calendar()
	}
	return p
}

// checkEncryptedSize refuses what cannot have been encrypted with the wrapping
// key, before the partition is asked: an RSA ciphertext is as long as the modulus
// (RFC 8017 §7.1.1), and AES Key Wrap adds 8 bytes to a multiple of 8 that is not
// empty (RFC 5649 §4.1).
func checkEncryptedSize(t *importToken, size int) error {
	modulus := map[hsm.KeySpec]int{hsm.RSA2048: 256, hsm.RSA3072: 384, hsm.RSA4096: 512}[t.Wrapping.Spec]
	wrong := false
	switch t.Algorithm {
	case hsm.WrapOAEPSHA1, hsm.WrapOAEPSHA256:
		wrong = size != modulus
	case hsm.WrapAESSHA1, hsm.WrapAESSHA256:
		wrong = size < modulus+16 || size%8 != 0
	}
	if wrong {
		return invalid("Invalid encrypted key size.")
	}
	return nil
}

// importedID names imported material: a hash of the key's id and the material's
// fingerprint, so that the same material has the same name in the same key, and
// another one in another key.
func importedID(keyID string, f hsm.Fingerprint) string {
	h := sha256.New()
	h.Write([]byte("cofre imported key material id v1\x00" + keyID + "\x00"))
	h.Write(f[:])
	return hex.EncodeToString(h.Sum(nil))
}

// without answers a list of its own that lacks one material.
func without(all []*state.KeyMaterial, id string) []*state.KeyMaterial {
	return slices.DeleteFunc(slices.Clone(all), func(m *state.KeyMaterial) bool { return m.ID == id })
}

// expiry is the identifier of a material's entry in the steward's agenda.
func expiry(k *state.Key, m *state.KeyMaterial) []string {
	return []string{state.DueTime(m.ValidTo), k.AccountID, k.Region, k.ID, m.ID}
}
