package kms

import (
	"errors"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/xks"
)

// outcome is what AWS makes of a failure of a proxy: the same message, under an
// exception or a connection error code that depends on what failed.
type outcome struct {
	manage  string // of CreateCustomKeyStore and UpdateCustomKeyStore
	create  string // of CreateKey
	connect string // ConnectionErrorCode
	message string
}

// The names of the exceptions.
const (
	storeState     = "CustomKeyStoreInvalidStateException"
	keyConfig      = "XksKeyInvalidConfigurationException"
	keyNotFound    = "XksKeyNotFoundException"
	proxyConfig    = "XksProxyInvalidConfigurationException"
	proxyResponse  = "XksProxyInvalidResponseException"
	proxyUnreached = "XksProxyUriUnreachableException"
	proxySecret    = "XksProxyIncorrectAuthenticationCredentialException"
)

// notConnected is AWS's message about a key whose external key store is not
// connected.
const notConnected = "This KMS key is in a custom key store that is not connected to its external key store proxy. " +
	"Connect the external key store and try the request again."

// tampered is AWS's message about what a proxy decrypted to something that the KMS key
// did not make.
const tampered = "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, " +
	"is corrupted, missing, or otherwise invalid."

const uninterpretable = "AWS KMS cannot interpret the response from the external key store proxy. " +
	"If you see this error repeatedly, report it to your external key store proxy administrator."

// outcomeOf is the table of "Error codes" in the External Key Store Proxy API
// Specification, and "External key store connection errors" in the KMS developer
// guide. What they leave open is what comes nearest.
func outcomeOf(f xks.Failure) outcome {
	switch f {
	case xks.NotConfigured: // none of AWS's
		return outcome{proxyConfig, storeState, "XKS_PROXY_INVALID_CONFIGURATION",
			"This service is not configured to call the external key store proxy. Its operator has to allow the endpoint."}
	case xks.Unreachable:
		return outcome{proxyUnreached, storeState, "XKS_PROXY_NOT_REACHABLE",
			"AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. " +
				"If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, " +
				"and that its endpoint URI is correct in your external key store."}
	case xks.TLSFailed:
		return outcome{proxyUnreached, storeState, "XKS_PROXY_INVALID_TLS_CONFIGURATION",
			"AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate."}
	case xks.TimedOut:
		return outcome{proxyUnreached, storeState, "XKS_PROXY_TIMED_OUT",
			"AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. " +
				"If you see this error repeatedly, report it to your external key store proxy administrator."}
	case xks.InvalidState:
		return outcome{proxyConfig, keyConfig, "XKS_PROXY_INVALID_CONFIGURATION",
			"The external key associated with this KMS key in an external key store is not enabled in the external key manager. " +
				"Enable the external key in the external key manager and retry the request."}
	case xks.InvalidCiphertext:
		return outcome{proxyResponse, storeState, "XKS_PROXY_INVALID_RESPONSE",
			"The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted, " +
				"missing, or otherwise invalid."}
	case xks.InvalidKeyUsage:
		return outcome{proxyResponse, keyConfig, "XKS_PROXY_INVALID_RESPONSE",
			"The external key associated with this KMS key in an external key store does not support the requested operation. " +
				"Enable the operation on the key in your external key manager, and try the request again."}
	case xks.AuthenticationFailed:
		return outcome{proxySecret, storeState, "INVALID_CREDENTIALS",
			"The external key store proxy rejected the request because it could not authenticate AWS KMS. " +
				"Verify the XKS proxy authentication credentials for your external key store and update if necessary."}
	case xks.AccessDenied:
		return outcome{proxyConfig, "KMSInvalidStateException", "XKS_PROXY_ACCESS_DENIED",
			"The external key store proxy denied access to the operation. " +
				"Verify that the user and the external key are both authorized for this operation, and try the request again."}
	case xks.KeyNotFound:
		return outcome{proxyResponse, keyNotFound, "XKS_PROXY_INVALID_RESPONSE",
			"The external key associated with this KMS key in an external key store was not found in its external key manager. " +
				"If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID."}
	case xks.InvalidURIPath:
		return outcome{proxyConfig, storeState, "XKS_PROXY_INVALID_CONFIGURATION",
			"The external key store proxy rejected the request because of an invalid URI path. " +
				"Verify the URI path for your external key store and update if necessary."}
	case xks.Throttled:
		return outcome{proxyUnreached, storeState, "XKS_PROXY_NOT_REACHABLE",
			"The external key store proxy rejected the request due to a very high request rate. " +
				"Reduce the frequency of your calls using KMS keys in this external key store."}
	case xks.Unsupported:
		return outcome{proxyResponse, keyConfig, "XKS_PROXY_INVALID_RESPONSE",
			"The external key store proxy rejected the request because it does not support the requested operation. " +
				"If you see this error repeatedly, report it to your external key store proxy administrator."}
	case xks.DependencyTimeout:
		return outcome{proxyUnreached, storeState, "XKS_PROXY_TIMED_OUT",
			"The external key store proxy did not respond to the request in the time allotted. Retry the request. " +
				"If you see this error repeatedly, report it to your external key store proxy administrator."}
	case xks.Internal:
		return outcome{proxyResponse, storeState, "XKS_PROXY_INVALID_RESPONSE",
			"The external key store proxy rejected the request because it cannot communicate with the external key manager. " +
				"Verify that the external key store proxy configuration is correct and that the external key manager is available."}
	}
	return outcome{proxyResponse, storeState, "XKS_PROXY_INVALID_RESPONSE", uninterpretable}
}

// managing is the refusal of CreateCustomKeyStore and UpdateCustomKeyStore.
func managing(err error) error {
	return refusing(err, func(o outcome) string { return o.manage })
}

// enrolling is the refusal of CreateKey.
func enrolling(err error) error {
	return refusing(err, func(o outcome) string { return o.create })
}

// using is the refusal of cryptographic operations: one exception for everything.
func using(err error) error {
	return refusing(err, func(outcome) string { return "KMSInvalidStateException" })
}

// refusing makes an exception of a proxy's failure. Any other error stays what it is.
func refusing(err error, code func(outcome) string) error {
	var failed *xks.Error
	if !errors.As(err, &failed) {
		return err
	}
	o := outcomeOf(failed.Failure)
	return call.Errorf(code(o), "%s", o.message)
}

// connecting is the ConnectionErrorCode of a proxy's failure, "" where there is none.
// Any other error stays what it is.
func connecting(err error) (string, error) {
	var failed *xks.Error
	if !errors.As(err, &failed) {
		return "", err
	}
	return outcomeOf(failed.Failure).connect, nil
}
