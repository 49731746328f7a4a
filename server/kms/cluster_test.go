package kms_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/kms"
)

const (
	clusterID       = "cluster-234abcdefgh"
	relatedID       = "cluster-567abcdefgh"
	unrelatedID     = "cluster-777abcdefgh"
	clusterPassword = "planted-password"
	trustAnchor     = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	otherAnchor     = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
)

// memoryCluster is a cluster in memory, with real AES-256-GCM. The one in a token is
// tested in hsm/pkcs11.
type memoryCluster struct {
	mu   sync.Mutex
	keys map[string]cipher.AEAD
	made int
	fail error // of every call
}

func (c *memoryCluster) TrustAnchor(id string) (string, bool) {
	switch id {
	case clusterID, relatedID:
		return "# customerCA.crt\n" + trustAnchor, true
	case unrelatedID:
		return otherAnchor, true
	}
	return "", false
}

func (c *memoryCluster) Open(_ context.Context, _ string, password []byte) (kms.Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if string(password) != clusterPassword {
		return nil, hsm.ErrPIN
	}
	return c, c.fail
}

func (c *memoryCluster) MakeResident(_ context.Context, label string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[label] != nil {
		return nil
	}
	var key [32]byte
	_, _ = rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	c.made++
	c.keys[label], err = cipher.NewGCM(block)
	return err
}

func (c *memoryCluster) SealResident(_ context.Context, label string, plaintext, aad []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[label] == nil {
		return nil, hsm.ErrUnavailable
	}
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce)
	return c.keys[label].Seal(nonce, nonce, plaintext, aad), nil
}

func (c *memoryCluster) OpenResident(_ context.Context, label string, sealed, aad []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[label] == nil || len(sealed) < 12 {
		return nil, hsm.ErrInvalidCiphertext
	}
	plaintext, err := c.keys[label].Open(nil, sealed[:12], sealed[12:], aad)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

func (c *memoryCluster) Random(_ context.Context, b []byte) error {
	_, err := rand.Read(b)
	return err
}

func clustered(t *testing.T) (*fixture, *memoryCluster) {
	f, c := newFixture(t), &memoryCluster{keys: map[string]cipher.AEAD{}}
	f.clusters = c
	f.use(f.hsm)
	return f, c
}

func clusterRequest(changes m) m {
	request := m{"CustomKeyStoreName": "cluster", "CloudHsmClusterId": clusterID, "KeyStorePassword": clusterPassword, "TrustAnchorCertificate": trustAnchor}
	for name, value := range changes {
		request[name] = value
	}
	return request
}

// TestClusterKeyStore makes and uses a key in an HSM cluster.
func TestClusterKeyStore(t *testing.T) {
	f, cluster := clustered(t)
	store := f.do("CreateCustomKeyStore", clusterRequest(nil)).text("CustomKeyStoreId")
	if got := f.describedStore(store); got.text("CloudHsmClusterId") != clusterID || got.text("CustomKeyStoreType") != "AWS_CLOUDHSM" ||
		got.text("TrustAnchorCertificate") != trustAnchor || got["XksProxyConfiguration"] != nil {
		t.Errorf("store: %v", got)
	}
	create := m{"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
	f.refuseStart("CreateKey", create, "CustomKeyStoreInvalidStateException: ")
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	once := true
	f.node.Before = func() { // the creation runs twice, and makes one key
		if once {
			once = false
			f.do("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "NewCustomKeyStoreName": "renamed"})
		}
	}
	id, arn := f.create(create)
	f.node.Before = nil
	if cluster.made != 1 {
		t.Errorf("the cluster has made %d keys", cluster.made)
	}
	if got := f.recorded(additional); !strings.Contains(got, `"backingKey":"{\"backingKeyId\":\"cofre-event-`) || !strings.Contains(got, `"customKeyStoreId":"`+store) {
		t.Errorf("additional data: %s", got)
	}
	metadata := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")
	if metadata.text("CloudHsmClusterId") != clusterID || metadata.text("Origin") != "AWS_CLOUDHSM" || metadata["CurrentKeyMaterialId"] != nil {
		t.Errorf("metadata: %v", metadata)
	}
	plaintext := bytes.Repeat([]byte("p"), 4096)
	sealed := f.do("Encrypt", m{"KeyId": id, "Plaintext": plaintext, "EncryptionContext": m{"a": "b"}}).bytes("CiphertextBlob")
	if got := f.do("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": m{"a": "b"}}); !bytes.Equal(got.bytes("Plaintext"), plaintext) || got.text("KeyId") != arn {
		t.Error("another plaintext")
	}
	f.refuse("Decrypt", m{"CiphertextBlob": sealed}, "InvalidCiphertextException")
	data := f.do("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256"})
	if got := f.do("Decrypt", m{"CiphertextBlob": data["CiphertextBlob"]}); got.text("Plaintext") != data.text("Plaintext") {
		t.Error("another data key")
	}
	if got := f.do("GenerateRandom", m{"NumberOfBytes": 20, "CustomKeyStoreId": store}); len(got.bytes("Plaintext")) != 20 {
		t.Error("random bytes")
	}
	f.refuseStart("RotateKeyOnDemand", m{"KeyId": id}, "UnsupportedOperationException")
	f.refuseStart("GenerateDataKeyPair", m{"KeyId": id, "KeyPairSpec": "RSA_2048"}, "UnsupportedOperationException")

	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, "KMSInvalidStateException: "+arn+" is unavailable.")
	f.refuseStart("GenerateRandom", m{"NumberOfBytes": 20, "CustomKeyStoreId": store}, "CustomKeyStoreInvalidStateException: ")
	f.do("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "CloudHsmClusterId": relatedID})
	f.refuseStart("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "CloudHsmClusterId": unrelatedID}, "CloudHsmClusterNotRelatedException: ")
	f.refuseStart("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "CloudHsmClusterId": "cluster-aaaaaaaaaaa"}, "CloudHsmClusterNotFoundException: ")
	for failure, want := range map[error]string{hsm.ErrUnavailable: "NETWORK_ERRORS", hsm.ErrTimeout: "NETWORK_ERRORS", hsm.ErrPIN: "INVALID_CREDENTIALS", nil: ""} {
		cluster.fail = failure
		f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
		if got := f.describedStore(store).text("ConnectionErrorCode"); got != want {
			t.Errorf("%v: %s", failure, got)
		}
		f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	}
	cluster.fail = nil
	f.do("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "KeyStorePassword": "wrong-password"})
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	if got := f.describedStore(store); got.text("ConnectionErrorCode") != "INVALID_CREDENTIALS" {
		t.Errorf("a wrong password: %v", got)
	}
	f.do("DisconnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("UpdateCustomKeyStore", m{"CustomKeyStoreId": store, "KeyStorePassword": clusterPassword})
	f.do("ConnectCustomKeyStore", m{"CustomKeyStoreId": store})
	f.do("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": m{"a": "b"}})
	cluster.fail = fmt.Errorf("gone: %w", hsm.ErrUnavailable)
	f.refuseStart("Decrypt", m{"CiphertextBlob": sealed, "EncryptionContext": m{"a": "b"}}, "KMSInvalidStateException: The KMS key could not be used in the cluster")
	for _, r := range f.node.RawEvents(t) {
		if strings.Contains(r, "password\"") || strings.Contains(r, clusterPassword) || strings.Contains(r, base64.StdEncoding.EncodeToString([]byte(clusterPassword))) {
			t.Errorf("the password is in %s", r)
		}
	}
}

func TestClusterKeyStoreRequests(t *testing.T) {
	f, _ := clustered(t)
	f.refuseStart("CreateCustomKeyStore", clusterRequest(m{"CloudHsmClusterId": "cluster-aaaaaaaaaaa"}), "CloudHsmClusterNotFoundException: ")
	f.refuseStart("CreateCustomKeyStore", clusterRequest(m{"TrustAnchorCertificate": otherAnchor}), "IncorrectTrustAnchorException: ")
	f.refuseStart("CreateCustomKeyStore", clusterRequest(m{"TrustAnchorCertificate": "x"}), "IncorrectTrustAnchorException: ")
	gone := f.do("CreateCustomKeyStore", clusterRequest(nil)).text("CustomKeyStoreId")
	f.do("DeleteCustomKeyStore", m{"CustomKeyStoreId": gone})
	f.do("CreateCustomKeyStore", clusterRequest(nil))
	f.refuseStart("CreateCustomKeyStore", clusterRequest(m{"CustomKeyStoreName": "b"}), "CloudHsmClusterInUseException: ")
	f.account = foreign
	f.refuseStart("CreateCustomKeyStore", clusterRequest(nil), "CloudHsmClusterInUseException: ")
	f.account = account
	f.refuse("CreateCustomKeyStore", clusterRequest(m{"KeyStorePassword": "short"}), "ValidationException: 1 validation error detected: "+
		"Value at 'keyStorePassword' failed to satisfy constraint: Member must have length greater than or equal to 7")
}
