package kms

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/attestation"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// recipient asks for an answer that only an attested enclave can read.
type recipient struct {
	KeyEncryptionAlgorithm string // RSAES_OAEP_SHA_256 is the only one, named or not
	AttestationDocument    []byte
}

func recipientShape() *shape.Struct[recipient] {
	type r = recipient
	return shape.Of(
		shape.Text("KeyEncryptionAlgorithm", keyEncryptionMechanism(), func(q *r) *string { return &q.KeyEncryptionAlgorithm }),
		shape.Bytes("AttestationDocument", attestationDocumentType(), func(q *r) *[]byte { return &q.AttestationDocument }),
	)
}

// recipientData is the additionalEventData of a call whose answer is for an
// enclave.
type recipientData struct {
	ModuleID    string `json:"attestationDocumentModuleId"`
	ImageDigest string `json:"attestationDocumentEnclaveImageDigest,omitempty"`
}

// enclave is who an answer is for; nil is the caller himself.
type enclave struct{ document *attestation.Document }

// recipient verifies the attestation document of a request, has policies know of
// it and records it. Without trusted roots the parameter is refused, since
// ignoring it would answer in clear what was meant for an enclave alone.
func (s *Service) recipient(c *call.Call, r *recipient) (*enclave, error) {
	c.Attestation = nil
	switch {
	case r == nil:
		return nil, nil
	case s.cfg.Attestation == nil:
		return nil, unsupported("The Recipient parameter is not supported: attestation documents are not verified.")
	case r.AttestationDocument == nil:
		return nil, invalid("Recipient: an attestation document is needed.")
	}
	document, err := s.cfg.Attestation.Verify(r.AttestationDocument, c.Time)
	if err == nil && document.Recipient == nil {
		err = attestation.ErrNoRecipient
	}
	if err != nil {
		return nil, invalid("Recipient: %v.", err)
	}
	c.Attestation = &call.Attestation{
		ImageSha384: document.ImageDigest(), PCRs: inHex(document.PCRs), NitroTPM: inHex(document.NitroTPM),
	}
	c.Record.Additional = &materialData{Recipient: &recipientData{ModuleID: document.ModuleID, ImageDigest: document.ImageDigest()}}
	return &enclave{document}, nil
}

func inHex(pcrs map[int][]byte) map[int]string {
	texts := make(map[int]string, len(pcrs))
	for i, value := range pcrs {
		texts[i] = hex.EncodeToString(value)
	}
	return texts
}

// attested answers the kms:RecipientAttestation condition key that ends with
// name, in lower case.
func attested(a *call.Attestation, name string) []string {
	if a == nil {
		return nil
	}
	registers := a.PCRs
	number, ok := strings.CutPrefix(name, "pcr")
	switch {
	case name == "imagesha384":
		return present(a.ImageSha384)
	case !ok:
		registers = a.NitroTPM
		if number, ok = strings.CutPrefix(name, "nitrotpmpcr"); !ok {
			return nil
		}
	}
	i, err := strconv.Atoi(number)
	if err != nil || strconv.Itoa(i) != number { // one spelling of each
		return nil
	}
	return present(registers[i])
}

// seal takes a plaintext out of an answer and answers it encrypted to the
// enclave. An answer for the caller stays as it is.
func (e *enclave) seal(plaintext *[]byte) ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	sealed, err := e.document.Seal(*plaintext)
	clear(*plaintext)
	*plaintext = nil
	if err != nil {
		return nil, fmt.Errorf("answering an enclave: %w", err)
	}
	return sealed, nil
}
