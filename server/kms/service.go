// Package kms serves the AWS KMS API: a file for each operation or tight group.
// Every operation is a plain function over a transaction. The package knows
// nothing of HTTP, of signatures, of Raft or of PKCS#11.
//
// It is safe because of three habits. An operation reads the key that it works
// with through the transaction, so that its answer is given only if the key was
// in that state when the answer was recorded. It hands key material to the HSM
// as it lies in the records: wrapped. And what it tells the audit record is a
// struct declared for that purpose, which has no member for a plaintext or a
// ciphertext.
package kms

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/xks"
)

// HSM is what the service asks of the node's partition.
type HSM interface {
	hsm.Keys
	// Random fills b from the partition's random number generator.
	Random(ctx context.Context, b []byte) error
	Info() hsm.Info
}

// Config configures the service.
type Config struct {
	HSM HSM
	// Generation answers the domain key generation for new keys.
	Generation func() hsm.Generation
	// Attestation verifies the documents of enclaves that answers are for. Where it
	// is nil the Recipient parameter is refused.
	Attestation *attestation.Verifier
	// Proxies calls the proxies of external key stores; nil means one that has no
	// routes.
	Proxies *xks.Client
	// Clusters are the HSM clusters that custom key stores can be in; nil means none.
	Clusters Clusters
	// Regions are the names that the cluster answers for.
	Regions []string
	// Access finds the policies that have a say; nil means one of the service's own.
	Access *authz.Authorizer
	// MaxKeys is how many keys an account can have in a Region; 0 means 100,000.
	MaxKeys int
	// Logger may be nil.
	Logger hclog.Logger
}

// Service serves the operations. It is safe for concurrent use.
type Service struct {
	cfg    Config
	states stateTable
	authz  *authz.Authorizer
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Access == nil {
		cfg.Access = authz.New()
	}
	if cfg.Proxies == nil {
		cfg.Proxies = xks.New(xks.Config{})
	}
	if cfg.Clusters == nil {
		cfg.Clusters = noClusters{}
	}
	return &Service{cfg: cfg, states: newStateTable(), authz: cfg.Access}
}

// Operations is the table of the API. The shapes of requests are compiled here,
// once.
func (s *Service) Operations() []call.Operation {
	const reads, writes = true, false // CloudTrail counts the use of a key as reading
	return metered([]call.Operation{
		call.Bind("CancelKeyDeletion", writes, keyRequestShape().Decode, s.cancelKeyDeletion),
		call.Bind("ConnectCustomKeyStore", writes, keyStoreRequestShape().Decode, s.connectCustomKeyStore),
		call.Bind("CreateAlias", writes, aliasTargetShape().Decode, s.createAlias),
		call.Bind("CreateCustomKeyStore", writes, createCustomKeyStoreShape().Decode, s.createCustomKeyStore),
		call.Bind("CreateGrant", writes, createGrantShape().Decode, s.createGrant),
		call.Bind("CreateKey", writes, createKeyShape().Decode, s.createKey),
		call.Bind("Decapsulate", reads, decapsulateShape().Decode, s.decapsulate),
		call.Bind("Decrypt", reads, decryptShape().Decode, s.decrypt),
		call.Bind("DeleteAlias", writes, deleteAliasShape().Decode, s.deleteAlias),
		call.Bind("DeleteCustomKeyStore", writes, keyStoreRequestShape().Decode, s.deleteCustomKeyStore),
		call.Bind("DeleteImportedKeyMaterial", writes, deleteImportedKeyMaterialShape().Decode, s.deleteImportedKeyMaterial),
		call.Bind("DeriveSharedSecret", reads, deriveSharedSecretShape().Decode, s.deriveSharedSecret),
		call.Bind("DescribeCustomKeyStores", reads, describeCustomKeyStoresShape().Decode, s.describeCustomKeyStores),
		call.Bind("DescribeKey", reads, describeKeyShape().Decode, s.describeKey),
		call.Bind("DisableKey", writes, keyRequestShape().Decode, s.disableKey),
		call.Bind("DisableKeyRotation", writes, keyRequestShape().Decode, s.disableKeyRotation),
		call.Bind("DisconnectCustomKeyStore", writes, keyStoreRequestShape().Decode, s.disconnectCustomKeyStore),
		call.Bind("EnableKey", writes, keyRequestShape().Decode, s.enableKey),
		call.Bind("EnableKeyRotation", writes, enableKeyRotationShape().Decode, s.enableKeyRotation),
		call.Bind("Encapsulate", reads, encapsulateShape().Decode, s.encapsulate),
		call.Bind("Encrypt", reads, encryptShape().Decode, s.encrypt),
		call.Bind("GenerateDataKey", reads, generateDataKeyShape().Decode, s.generateDataKey),
		call.Bind("GenerateDataKeyWithoutPlaintext", reads, generateDataKeyWithoutPlaintextShape().Decode,
			s.generateDataKeyWithoutPlaintext),
		call.Bind("GenerateDataKeyPair", reads, generateDataKeyPairShape().Decode, s.generateDataKeyPair),
		call.Bind("GenerateDataKeyPairWithoutPlaintext", reads, generateDataKeyPairWithoutPlaintextShape().Decode,
			s.generateDataKeyPairWithoutPlaintext),
		call.Bind("GenerateMac", reads, generateMacShape().Decode, s.generateMac),
		call.Bind("GenerateRandom", reads, generateRandomShape().Decode, s.generateRandom),
		call.Bind("GetKeyLastUsage", reads, keyRequestShape().Decode, s.getKeyLastUsage),
		call.Bind("GetKeyPolicy", reads, getKeyPolicyShape().Decode, s.getKeyPolicy),
		call.Bind("GetKeyRotationStatus", reads, keyRequestShape().Decode, s.getKeyRotationStatus),
		call.Bind("GetPublicKey", reads, describeKeyShape().Decode, s.getPublicKey),
		call.Bind("GetParametersForImport", reads, getParametersForImportShape().Decode, s.getParametersForImport),
		call.Bind("ImportKeyMaterial", writes, importKeyMaterialShape().Decode, s.importKeyMaterial),
		call.Bind("ListAliases", reads, listAliasesShape().Decode, s.listAliases),
		call.Bind("ListGrants", reads, listGrantsShape().Decode, s.listGrants),
		call.Bind("ListKeyPolicies", reads, listShape().Decode, s.listKeyPolicies),
		call.Bind("ListKeyRotations", reads, listKeyRotationsShape().Decode, s.listKeyRotations),
		call.Bind("ListKeys", reads, listKeysShape().Decode, s.listKeys),
		call.Bind("ListResourceTags", reads, listShape().Decode, s.listResourceTags),
		call.Bind("ListRetirableGrants", reads, listRetirableGrantsShape().Decode, s.listRetirableGrants),
		call.Bind("PutKeyPolicy", writes, putKeyPolicyShape().Decode, s.putKeyPolicy),
		call.Bind("ReEncrypt", reads, reEncryptShape().Decode, s.reEncrypt),
		call.Bind("ReplicateKey", writes, replicateKeyShape().Decode, s.replicateKey),
		call.Bind("RetireGrant", writes, retireGrantShape().Decode, s.retireGrant),
		call.Bind("RevokeGrant", writes, revokeGrantShape().Decode, s.revokeGrant),
		call.Bind("RotateKeyOnDemand", writes, keyRequestShape().Decode, s.rotateKeyOnDemand),
		call.Bind("ScheduleKeyDeletion", writes, scheduleKeyDeletionShape().Decode, s.scheduleKeyDeletion),
		call.Bind("Sign", reads, signShape().Decode, s.sign),
		call.Bind("TagResource", writes, tagResourceShape().Decode, s.tagResource),
		call.Bind("UntagResource", writes, untagResourceShape().Decode, s.untagResource),
		call.Bind("UpdateAlias", writes, aliasTargetShape().Decode, s.updateAlias),
		call.Bind("UpdateCustomKeyStore", writes, updateCustomKeyStoreShape().Decode, s.updateCustomKeyStore),
		call.Bind("UpdateKeyDescription", writes, updateKeyDescriptionShape().Decode, s.updateKeyDescription),
		call.Bind("UpdatePrimaryRegion", writes, updatePrimaryRegionShape().Decode, s.updatePrimaryRegion),
		call.Bind("Verify", reads, verifyShape().Decode, s.verify),
		call.Bind("VerifyMac", reads, verifyMacShape().Decode, s.verifyMac),
	})
}

// Transactor commits transactions; *cluster.Node is one.
type Transactor interface {
	Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (index uint64, err error)
	View() fsm.View
}
