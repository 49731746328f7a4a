package kms

import "github.com/cofre-kms/cofre/server/shape"

// recipient asks for an answer that only an attested enclave can read.
type recipient struct {
	KeyEncryptionAlgorithm string
	AttestationDocument    []byte
}

func recipientShape() *shape.Struct[recipient] {
	type r = recipient
	return shape.Of(
		shape.Text("KeyEncryptionAlgorithm", keyEncryptionMechanism(), func(q *r) *string { return &q.KeyEncryptionAlgorithm }),
		shape.Bytes("AttestationDocument", attestationDocumentType(), func(q *r) *[]byte { return &q.AttestationDocument }),
	)
}

// refuseRecipient refuses the parameter, since ignoring it would answer in clear
// what was meant for an enclave alone. Cofre does not verify attestation
// documents: their trust anchor is the Nitro hypervisor, which no self-hosted
// client runs on.
func refuseRecipient(r *recipient) error {
	if r == nil {
		return nil
	}
	return unsupported("The Recipient parameter is not supported: attestation documents are not verified.")
}
