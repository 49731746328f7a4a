package kms

import (
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// keyMetadata is the API's KeyMetadata, as far as keys have it today.
type keyMetadata struct {
	AWSAccountID             string                    `json:"AWSAccountId"`
	KeyID                    string                    `json:"KeyId"`
	Arn                      string                    `json:"Arn"`
	CreationDate             timestamp                 `json:"CreationDate"`
	Enabled                  bool                      `json:"Enabled"`
	Description              string                    `json:"Description"`
	KeyUsage                 string                    `json:"KeyUsage"`
	KeyState                 string                    `json:"KeyState"`
	DeletionDate             timestamp                 `json:"DeletionDate,omitempty"`
	PendingWindow            int                       `json:"PendingDeletionWindowInDays,omitempty"`
	ValidTo                  timestamp                 `json:"ValidTo,omitempty"`
	Origin                   string                    `json:"Origin"`
	ExpirationModel          string                    `json:"ExpirationModel,omitempty"`
	KeyManager               string                    `json:"KeyManager"`
	CustomerMasterKeySpec    hsm.KeySpec               `json:"CustomerMasterKeySpec"`
	KeySpec                  hsm.KeySpec               `json:"KeySpec"`
	EncryptionAlgorithms     []string                  `json:"EncryptionAlgorithms,omitempty"`
	SigningAlgorithms        []string                  `json:"SigningAlgorithms,omitempty"`
	MacAlgorithms            []string                  `json:"MacAlgorithms,omitempty"`
	KeyAgreementAlgorithms   []string                  `json:"KeyAgreementAlgorithms,omitempty"`
	EncapsulationAlgorithms  []string                  `json:"EncapsulationAlgorithms,omitempty"`
	MultiRegion              bool                      `json:"MultiRegion"`
	MultiRegionConfiguration *multiRegionConfiguration `json:"MultiRegionConfiguration,omitempty"`
	CurrentKeyMaterialID     string                    `json:"CurrentKeyMaterialId,omitempty"`
	CustomKeyStoreID         string                    `json:"CustomKeyStoreId,omitempty"`
	CloudHsmClusterID        string                    `json:"CloudHsmClusterId,omitempty"`
	XksKeyConfiguration      *xksKeyConfiguration      `json:"XksKeyConfiguration,omitempty"`
}

// xksKeyConfiguration says which external key a key in an external key store has.
type xksKeyConfiguration struct {
	ID string `json:"Id"`
}

// describe answers a key's metadata.
func describe(k key) keyMetadata {
	m := keyMetadata{
		AWSAccountID:          k.AccountID,
		KeyID:                 k.ID,
		Arn:                   k.arn,
		CreationDate:          timestamp(k.Created),
		Enabled:               k.state() == state.Enabled,
		Description:           k.Description,
		KeyUsage:              k.Usage,
		KeyState:              k.state().String(),
		DeletionDate:          timestamp(k.Deletion),
		PendingWindow:         k.PendingWindow,
		ValidTo:               timestamp(k.ValidTo),
		Origin:                k.Origin,
		ExpirationModel:       expirationModel(k.Key),
		KeyManager:            manager(k.Key),
		CustomerMasterKeySpec: k.Spec,
		KeySpec:               k.Spec,
		MultiRegion:           k.MultiRegion,
		CustomKeyStoreID:      k.KeyStoreID,
		CloudHsmClusterID:     k.ClusterID,
	}
	m.setAlgorithms(algorithms(k.Spec, k.Usage))
	m.CurrentKeyMaterialID = shownMaterial(k, k.MaterialID)
	if k.XksKeyID != "" {
		m.XksKeyConfiguration = &xksKeyConfiguration{ID: k.XksKeyID}
	}
	if k.MultiRegion {
		m.MultiRegionConfiguration = configuration(k.Key)
	}
	return m
}

// setAlgorithms sets the one list that keys of this usage have.
func (m *keyMetadata) setAlgorithms(list []string) {
	switch m.KeyUsage {
	case encryptDecrypt:
		m.EncryptionAlgorithms = list
	case signVerify:
		m.SigningAlgorithms = list
	case generateVerifyMac:
		m.MacAlgorithms = list
	case keyAgreement:
		m.KeyAgreementAlgorithms = list
	case encapsulateDecapsulate:
		m.EncapsulationAlgorithms = list
	}
}

// expirationModel is present while a key has all the material that was imported.
func expirationModel(k *state.Key) string {
	switch {
	case k.ValidTo != 0:
		return expires
	case k.Imported:
		return doesNotExpire
	}
	return ""
}

// recordedMetadata is KeyMetadata as CloudTrail records it of CreateKey.
type recordedMetadata struct {
	AWSAccountID            string      `json:"aWSAccountId"`
	KeyID                   string      `json:"keyId"`
	Arn                     string      `json:"arn"`
	CreationDate            string      `json:"creationDate"`
	Enabled                 bool        `json:"enabled"`
	Description             string      `json:"description"`
	KeyUsage                string      `json:"keyUsage"`
	KeyState                string      `json:"keyState"`
	Origin                  string      `json:"origin"`
	KeyManager              string      `json:"keyManager"`
	CustomerMasterKeySpec   hsm.KeySpec `json:"customerMasterKeySpec"`
	KeySpec                 hsm.KeySpec `json:"keySpec"`
	EncryptionAlgorithms    []string    `json:"encryptionAlgorithms,omitempty"`
	SigningAlgorithms       []string    `json:"signingAlgorithms,omitempty"`
	MacAlgorithms           []string    `json:"macAlgorithms,omitempty"`
	KeyAgreementAlgorithms  []string    `json:"keyAgreementAlgorithms,omitempty"`
	EncapsulationAlgorithms []string    `json:"encapsulationAlgorithms,omitempty"`
	MultiRegion             bool        `json:"multiRegion"`
	CurrentKeyMaterialID    string      `json:"currentKeyMaterialId,omitempty"`
	CustomKeyStoreID        string      `json:"customKeyStoreId,omitempty"`
	CloudHsmClusterID       string      `json:"cloudHsmClusterId,omitempty"`

	XksKeyConfiguration *recordedXksKey `json:"xksKeyConfiguration,omitempty"`

	MultiRegionConfiguration *recordedConfiguration `json:"multiRegionConfiguration,omitempty"`
}

type recordedXksKey struct {
	ID string `json:"id"`
}

func recorded(m keyMetadata) recordedMetadata {
	return recordedMetadata{
		AWSAccountID:             m.AWSAccountID,
		KeyID:                    m.KeyID,
		Arn:                      m.Arn,
		CreationDate:             m.CreationDate.calendar(),
		Enabled:                  m.Enabled,
		Description:              m.Description,
		KeyUsage:                 m.KeyUsage,
		KeyState:                 m.KeyState,
		Origin:                   m.Origin,
		KeyManager:               m.KeyManager,
		CustomerMasterKeySpec:    m.CustomerMasterKeySpec,
		KeySpec:                  m.KeySpec,
		EncryptionAlgorithms:     m.EncryptionAlgorithms,
		SigningAlgorithms:        m.SigningAlgorithms,
		MacAlgorithms:            m.MacAlgorithms,
		KeyAgreementAlgorithms:   m.KeyAgreementAlgorithms,
		EncapsulationAlgorithms:  m.EncapsulationAlgorithms,
		MultiRegion:              m.MultiRegion,
		MultiRegionConfiguration: m.MultiRegionConfiguration.recorded(),
		CurrentKeyMaterialID:     m.CurrentKeyMaterialID,
		CustomKeyStoreID:         m.CustomKeyStoreID,
		CloudHsmClusterID:        m.CloudHsmClusterID,
		XksKeyConfiguration:      (*recordedXksKey)(m.XksKeyConfiguration),
	}
}
