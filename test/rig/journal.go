package rig

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Answer is one HTTP answer that a client saw, whether or not the client's
// library tried again after it.
type Answer struct {
	Addr      string // host:port of the node
	Operation string
	RequestID string // x-amzn-RequestId
	Status    int
	Code      string // the error's type, "" for a success
	// Sent is before the request was sent, Seen after the answer's header came.
	Sent, Seen time.Time
}

// Outcome says what the ledger must hold for an answer.
type Outcome int

// The outcomes.
const (
	// Recorded: the call was authenticated and answered; the record is there.
	Recorded Outcome = iota
	// Unknown: Cofre could not say; there is one record or none.
	Unknown
	// Refused before it was known who called: there is no record.
	Refused
)

// unknown are the errors that say nothing about the call itself.
var unknown = []string{"KMSInternalException", "DependencyTimeoutException", "ThrottlingException", "Throttling"}

// refused are the errors of calls that are not authenticated, or whose body was
// not even read.
var refused = []string{
	"RequestEntityTooLargeException", "RequestAbortedException",
	"UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationTokenException",
	"IncompleteSignatureException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken",
	"SignatureDoesNotMatch", "InvalidIdentityToken", "IDPCommunicationError",
}

// Outcome classifies the answer.
func (a Answer) Outcome() Outcome {
	switch {
	case slices.Contains(refused, a.Code):
		return Refused
	case a.Status >= 500 || slices.Contains(unknown, a.Code):
		return Unknown
	default:
		return Recorded
	}
}

// Retryable says whether AWS's clients try again after this answer.
func (a Answer) Retryable() bool { return a.Outcome() == Unknown }

// Journal collects answers. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	answers []Answer
}

// Add records an answer.
func (j *Journal) Add(a Answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answers = append(j.answers, a)
}

// Answers is a copy of all answers so far.
func (j *Journal) Answers() []Answer {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.answers)
}

// recorder is the transport of the rig's clients: it enters what they see into
// the journal.
type recorder struct {
	journal *Journal
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := Answer{Addr: req.URL.Host, Sent: time.Now()}
	answer.Operation = operationOf(req)
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	answer.Seen = time.Now()
	answer.Status = resp.StatusCode
	answer.RequestID = resp.Header.Get("X-Amzn-Requestid")
	if resp.StatusCode != http.StatusOK {
		if answer.Code, err = errorCode(resp); err != nil {
			return nil, err
		}
	}
	r.journal.Add(answer)
	return resp, nil
}

// operationOf answers the operation that a request asks for, in either protocol.
func operationOf(req *http.Request) string {
	if _, name, ok := strings.Cut(req.Header.Get("X-Amz-Target"), "."); ok || req.GetBody == nil {
		return name
	}
	body, err := req.GetBody()
	if err != nil {
		return ""
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return ""
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return ""
	}
	return form.Get("Action")
}

// errorCode reads an error's type and leaves the body to be read again.
func errorCode(resp *http.Response) (string, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return "", err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return typeOf(body), nil
}

// typeOf reads __type of an error's body, without a namespace, or the Code of one
// in XML.
func typeOf(body []byte) string {
	var answer struct {
		Code string `xml:"Error>Code"`
	}
	if xml.Unmarshal(body, &answer) == nil {
		return answer.Code
	}
	var e struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return e.Type[strings.LastIndexByte(e.Type, '#')+1:]
}
