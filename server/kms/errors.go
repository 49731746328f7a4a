package kms

import (
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

// The exceptions of the API, worded as AWS words them. Those that AWS answers
// without a message have none here.

func notFound(format string, args ...any) error {
	return call.Errorf("NotFoundException", format, args...)
}

func invalid(format string, args ...any) error {
	return call.Errorf("ValidationException", format, args...)
}

func unsupported(format string, args ...any) error {
	return call.Errorf("UnsupportedOperationException", format, args...)
}

// unsupportedKey refuses an operation that keys of this type do not have.
func unsupportedKey() error { return &call.Error{Code: "UnsupportedOperationException", Status: 400} }

func invalidState(format string, args ...any) error {
	return call.Errorf("KMSInvalidStateException", format, args...)
}

func limitExceeded(format string, args ...any) error {
	return call.Errorf("LimitExceededException", format, args...)
}

func tagError(message string) error {
	return &call.Error{Code: "TagException", Message: message, Status: 400}
}

// denied refuses a caller that is not authorized. CloudTrail names the error
// AccessDenied.
func denied(format string, args ...any) error {
	e := call.Errorf("AccessDeniedException", format, args...)
	e.RecordCode = "AccessDenied"
	return e
}

// notAuthorized refuses what concerns aliases of AWS managed keys.
func notAuthorized() error { return &call.Error{Code: "NotAuthorizedException", Status: 400} }

// invalidCiphertext refuses a ciphertext that does not authenticate, whatever is
// wrong with it: the blob, the encryption context, the material.
func invalidCiphertext() error { return &call.Error{Code: "InvalidCiphertextException", Status: 400} }

// invalidSignature refuses a signature that does not verify.
func invalidSignature() error { return &call.Error{Code: "KMSInvalidSignatureException", Status: 400} }

// invalidMAC refuses an HMAC that does not verify.
func invalidMAC() error { return &call.Error{Code: "KMSInvalidMacException", Status: 400} }

// invalidPublicKey refuses a peer's public key that is none, or on another curve.
func invalidPublicKey() error { return &call.Error{Code: "ValidationException", Status: 400} }

// incorrectKeyMaterial refuses material that is not of the key's spec or not what
// the request says of it.
func incorrectKeyMaterial() error {
	return &call.Error{Code: "IncorrectKeyMaterialException", Status: 400}
}

// invalidImportToken refuses a token that is not of this key, or none at all.
func invalidImportToken() error {
	return &call.Error{Code: "InvalidImportTokenException", Status: 400}
}

func expiredImportToken() error {
	return &call.Error{Code: "ExpiredImportTokenException", Status: 400}
}

func incorrectKey() error {
	return call.Errorf("IncorrectKeyException",
		"The key ID in the request does not identify a CMK that can perform this operation.")
}

// foreignCiphertext refuses a ciphertext whose key is not in the account and
// Region.
func foreignCiphertext() error {
	return denied("The ciphertext refers to a customer master key that does not exist, " +
		"does not exist in this region, or you are not allowed to access.")
}

// wouldSucceed answers a call that only asks whether it would succeed.
func wouldSucceed() error {
	return call.Errorf("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

// partitionFault is a failure of the partition while it did something. Of a key
// that this node's partition cannot use at all, that is the answer.
func partitionFault(doing string, err error) error {
	if errors.Is(err, hsm.ErrUnsupported) {
		return unsupported("The HSM partition cannot use the KMS key.")
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// damaged refuses a call whose key lacks a record that belongs to it. It is an
// exception, not a plain error, so that it is committed with the read of the
// key: where the record is gone because the key is, the commit conflicts and the
// operation runs again.
func damaged(what string) error {
	return &call.Error{Code: "KMSInternalException", Message: "The " + what + " of the KMS key is missing.", Status: 500}
}
