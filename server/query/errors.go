package query

import (
	"net/http"

	"github.com/cofre-kms/cofre/server/call"
)

// translations are the exceptions that services of the two protocols share,
// which the older one calls by other names and statuses ("Common Errors" in the
// API references of KMS, IAM and STS).
var translations = map[string]struct {
	code   string
	status int
}{
	"AccessDeniedException":               {"AccessDenied", http.StatusForbidden},
	"DependencyTimeoutException":          {"ServiceUnavailable", http.StatusServiceUnavailable},
	"ExpiredTokenException":               {"ExpiredToken", http.StatusForbidden},
	"IncompleteSignatureException":        {"IncompleteSignature", http.StatusBadRequest},
	"InvalidSignatureException":           {"SignatureDoesNotMatch", http.StatusForbidden},
	"KMSInternalException":                {"InternalFailure", http.StatusInternalServerError},
	"MissingAuthenticationTokenException": {"MissingAuthenticationToken", http.StatusForbidden},
	"RequestAbortedException":             {"RequestAborted", http.StatusBadRequest},
	"RequestEntityTooLargeException":      {"RequestEntityTooLarge", http.StatusRequestEntityTooLarge},
	"SerializationException":              {"MalformedInput", http.StatusBadRequest},
	"ThrottlingException":                 {"Throttling", http.StatusBadRequest},
	"UnknownOperationException":           {"InvalidAction", http.StatusBadRequest},
	"UnrecognizedClientException":         {"InvalidClientTokenId", http.StatusForbidden},
	"ValidationException":                 {"ValidationError", http.StatusBadRequest},
}

// Translate answers an exception as a service of the Query protocol calls it.
// One that it does not share with others stays as it is.
func Translate(e *call.Error) *call.Error {
	to, shared := translations[e.Code]
	if !shared {
		return e
	}
	translated := *e
	translated.Code, translated.Status = to.code, to.status
	return &translated
}

// Sender says whose fault an error is, in the protocol's words.
func Sender(status int) string {
	if status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}
