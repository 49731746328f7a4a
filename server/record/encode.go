package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/cofre-kms/cofre/ledger"
)

// event is a ledger.Event before it is encoded. A test holds the encoding
// against that of ledger.Event by encoding/json, which takes four times as long.
type event struct {
	eventTime    time.Time
	source       string
	name         string
	region       string
	sourceIP     string
	userAgent    string
	errorCode    string
	errorMessage string
	requestID    string
	eventID      string
	eventType    string
	recipient    string
	shared       string // shared event id
	readOnly     bool
	identity     ledger.UserIdentity
	resources    []ledger.Resource
	tls          *ledger.TLSDetails

	parameters, response, additional, details any
}

// scratch is what one encoding works in. The members are encoded into members,
// one after the other; ends says where each ends.
type scratch struct {
	members bytes.Buffer
	encoder *json.Encoder
	out     []byte
}

var scratches = sync.Pool{New: func() any {
	s := &scratch{out: make([]byte, 0, 2048)}
	s.encoder = json.NewEncoder(&s.members)
	s.encoder.SetEscapeHTML(false)
	return s
}}

// variable are the members whose shape the operation decides, encoded: nil where
// the member is left out.
type variable struct{ parameters, response, additional, details []byte }

func (e *event) encode() ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	v, err := s.encodeVariable(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the record of %s: %w", e.name, err)
	}
	s.out = e.append(s.out[:0], v)
	if len(s.out) > ledger.MaxEvent {
		return e.fit(v)
	}
	return bytes.Clone(s.out), nil
}

// maxScratch bounds what the pool holds on to.
const maxScratch = 1 << 17

func (s *scratch) release() {
	if cap(s.out)+s.members.Cap() > maxScratch {
		return
	}
	s.members.Reset()
	scratches.Put(s)
}

// An appender encodes itself: the records of what is called often are appenders,
// which is several times as fast as encoding/json. What it appends is what
// encoding/json would make of the same value without HTML escaping.
type appender interface {
	AppendJSON(b []byte) []byte
}

func (s *scratch) encodeVariable(e *event) (v variable, err error) {
	values := [...]any{e.parameters, e.response, e.additional, e.details}
	var ends [len(values)]int
	for i, value := range values {
		if a, ok := value.(appender); ok {
			s.members.Write(append(a.AppendJSON(s.members.AvailableBuffer()), '\n'))
		} else if value != nil {
			if err := s.encoder.Encode(value); err != nil {
				return v, err
			}
		}
		ends[i] = s.members.Len()
	}
	// The buffer has stopped growing: slices of it stay where they are.
	b, start := s.members.Bytes(), 0
	for i, target := range [...]*[]byte{&v.parameters, &v.response, &v.additional, &v.details} {
		if ends[i] > start {
			*target = b[start : ends[i]-1] // without the Encoder's newline
		}
		start = ends[i]
	}
	return v, nil
}

// append appends the event in the order of ledger.Event.
func (e *event) append(b []byte, v variable) []byte {
	b = append(b, `{"eventVersion":"`+ledger.EventVersion+`","userIdentity":`...)
	b = appendIdentity(b, &e.identity)
	b = append(b, `,"eventTime":"`...)
	b = e.eventTime.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	b = append(b, '"')
	b = appendMember(b, "eventSource", e.source, maxName)
	b = appendMember(b, "eventName", e.name, maxName)
	b = appendMember(b, "awsRegion", e.region, maxName)
	b = appendMember(b, "sourceIPAddress", e.sourceIP, maxName)
	b = appendMember(b, "userAgent", e.userAgent, maxUserAgent)
	b = appendOptional(b, "errorCode", e.errorCode, maxName)
	b = appendOptional(b, "errorMessage", e.errorMessage, maxErrorMessage)
	b = appendRaw(b, `,"requestParameters":`, v.parameters)
	b = appendRaw(b, `,"responseElements":`, v.response)
	if v.additional != nil {
		b = appendRaw(b, `,"additionalEventData":`, v.additional)
	}
	b = appendOptional(b, "requestID", e.requestID, maxName)
	b = appendMember(b, "eventID", e.eventID, maxName)
	b = appendBool(b, `,"readOnly":`, e.readOnly)
	b = appendResources(b, e.resources)
	b = appendMember(b, "eventType", e.eventType, maxName)
	b = append(b, `,"managementEvent":true`...)
	b = appendMember(b, "recipientAccountId", e.recipient, maxName)
	b = appendOptional(b, "sharedEventID", e.shared, maxName)
	if v.details != nil {
		b = appendRaw(b, `,"serviceEventDetails":`, v.details)
	}
	b = append(b, `,"eventCategory":"`+ledger.EventCategory+`"`...)
	b = appendTLS(b, e.tls)
	return append(b, '}')
}

func appendIdentity(b []byte, u *ledger.UserIdentity) []byte {
	start := len(b)
	b = appendOptional(b, "type", u.Type, maxName)
	b = appendOptional(b, "principalId", u.PrincipalID, maxName)
	b = appendOptional(b, "arn", u.ARN, maxUserAgent)
	b = appendOptional(b, "accountId", u.AccountID, maxName)
	b = appendOptional(b, "accessKeyId", u.AccessKeyID, maxName)
	b = appendOptional(b, "userName", u.UserName, maxName)
	b = appendSession(b, u.SessionContext)
	b = appendOptional(b, "invokedBy", u.InvokedBy, maxName)
	b = appendOptional(b, "identityProvider", u.IdentityProvider, maxUserAgent)
	return closeObject(b, start)
}

// appendResources writes nil as no member and an empty list as one: CloudTrail
// records GenerateRandom with "resources": [] and ListKeys without any.
func appendResources(b []byte, resources []ledger.Resource) []byte {
	if resources == nil {
		return b
	}
	b = append(b, `,"resources":[`...)
	for i := range resources {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"accountId":`...)
		b = AppendString(b, resources[i].AccountID)
		b = append(b, `,"type":`...)
		b = AppendString(b, resources[i].Type)
		b = append(b, `,"ARN":`...)
		b = AppendString(b, resources[i].ARN)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendTLS(b []byte, tls *ledger.TLSDetails) []byte {
	if tls == nil {
		return b
	}
	b = append(b, `,"tlsDetails":`...)
	start := len(b)
	b = appendOptional(b, "tlsVersion", tls.TLSVersion, maxName)
	b = appendOptional(b, "cipherSuite", tls.CipherSuite, maxName)
	b = appendOptional(b, "clientProvidedHostHeader", tls.ClientProvidedHostHeader, maxHost)
	b = appendOptional(b, "keyExchange", tls.KeyExchange, maxName)
	return closeObject(b, start)
}
