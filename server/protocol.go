package server

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/query"
)

// Protocol is how the requests and answers of a service look on the wire. It is
// immutable and safe for concurrent use. [JSON], [Query] and [REST] make them.
type Protocol interface {
	// operation answers which operation a request asks for, and whether it is one
	// to this service at all.
	operation(r *http.Request, body []byte) (name string, ours bool)
	// likely says whether a request without a readable body is one to this service.
	likely(r *http.Request) bool
	// input answers what the operation that a request asks for decodes. Its error is
	// a *call.Error.
	input(r *http.Request, body []byte) ([]byte, error)
	// exception answers an exception as clients of the service know it, with its
	// HTTP status.
	exception(e *call.Error) *call.Error
	// contentType is that of an answer, nil where it is an exception's.
	contentType(response any) []string
	// encode writes the answer of an operation; response is not nil unless the
	// operation has no output.
	encode(a *answerBody, operation, requestID string, response any) error
	// encodeException writes the answer of a request that failed.
	encodeException(a *answerBody, requestID string, e *call.Error)
}

// jsonProtocol is AWS's JSON 1.1 protocol.
type jsonProtocol struct{ target string }

// JSON is AWS's JSON 1.1 protocol; target is the prefix of X-Amz-Target:
// "TrentService".
func JSON(target string) Protocol { return jsonProtocol{target} }

func (p jsonProtocol) operation(r *http.Request, _ []byte) (string, bool) {
	targets := r.Header["X-Amz-Target"]
	if len(targets) != 1 || r.Method != http.MethodPost || r.URL.Path != "/" {
		return "", false
	}
	prefix, name, _ := strings.Cut(targets[0], ".")
	return name, prefix == p.target
}

func (p jsonProtocol) likely(r *http.Request) bool {
	_, ours := p.operation(r, nil)
	return ours
}

func (jsonProtocol) input(_ *http.Request, body []byte) ([]byte, error) { return body, nil }

func (jsonProtocol) exception(e *call.Error) *call.Error { return withStatus(e) }

// Header values that never vary, shared by all answers.
var (
	contentTypeJSON = []string{"application/x-amz-json-1.1"}
	contentTypeXML  = []string{"text/xml"}
)

func (jsonProtocol) contentType(any) []string { return contentTypeJSON }

func (jsonProtocol) encode(a *answerBody, _, _ string, response any) error {
	if response == nil {
		return nil
	}
	err := a.enc.Encode(response)
	a.trim()
	return err
}

// exception is the body of an error. A few have no message at all.
type exception struct {
	Type    string `json:"__type"`
	Message string `json:"message,omitempty"`
}

func (jsonProtocol) encodeException(a *answerBody, _ string, e *call.Error) {
	_ = a.enc.Encode(exception{Type: e.Code, Message: e.Message}) // strings: it cannot fail
	a.trim()
}

// queryProtocol is AWS's Query protocol.
type queryProtocol struct{ namespace string }

// Query is AWS's Query protocol; namespace is that of answers, with the version
// of the API as its last segment: "https://iam.amazonaws.com/doc/2010-05-08/".
func Query(namespace string) Protocol { return queryProtocol{namespace} }

const formType = "application/x-www-form-urlencoded"

func (p queryProtocol) operation(r *http.Request, body []byte) (string, bool) {
	if !p.form(r) {
		return "", false
	}
	name, version := query.Action(p.fields(r, body))
	return name, version != "" && strings.HasSuffix(p.namespace, "/"+version+"/")
}

// likely takes every form: which service it is for stands in it.
func (p queryProtocol) likely(r *http.Request) bool { return p.form(r) }

func (queryProtocol) form(r *http.Request) bool {
	if r.URL.Path != "/" {
		return false
	}
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Method == http.MethodPost && strings.EqualFold(strings.TrimSpace(mediaType), formType) || inQuery(r)
}

// inQuery says whether the form of a request stands in its query string: that of
// a GET, and of a presigned request without a body ("Making query requests", IAM
// user guide).
func inQuery(r *http.Request) bool {
	return r.URL.RawQuery != "" && (r.Method == http.MethodGet || r.Method == http.MethodPost && r.ContentLength == 0)
}

// fields is the form of a request.
func (queryProtocol) fields(r *http.Request, body []byte) []byte {
	if inQuery(r) {
		return []byte(r.URL.RawQuery)
	}
	return body
}

func (p queryProtocol) input(r *http.Request, body []byte) ([]byte, error) {
	return p.fields(r, body), nil
}

func (queryProtocol) exception(e *call.Error) *call.Error { return withStatus(query.Translate(e)) }

func (queryProtocol) contentType(any) []string { return contentTypeXML }

func (p queryProtocol) encode(a *answerBody, operation, requestID string, response any) error {
	return query.Response(&a.buf, p.namespace, operation, requestID, response)
}

func (p queryProtocol) encodeException(a *answerBody, requestID string, e *call.Error) {
	query.Exception(&a.buf, p.namespace, requestID, e.Code, e.Message, e.Status)
}

// withStatus is an exception that says its HTTP status.
func withStatus(e *call.Error) *call.Error {
	if e.Status != 0 {
		return e
	}
	named := *e
	named.Status = http.StatusBadRequest
	return &named
}

// trim takes the line end off that the JSON encoder adds.
func (a *answerBody) trim() { a.buf.Truncate(len(bytes.TrimSuffix(a.buf.Bytes(), []byte{'\n'}))) }
