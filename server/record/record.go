package record

import (
	"cmp"
	"time"

	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
)

// What CloudTrail keeps of strings that clients choose, in bytes ("CloudTrail
// record contents": userAgent and errorMessage have at most 1 KB).
const (
	maxUserAgent    = 1024
	maxErrorMessage = 1024
	maxName         = 128 // event names and regions
	maxHost         = 255 // a host name, RFC 1035 §2.3.4
)

// AdminService is the Service of calls to Cofre's own operator API, and the
// eventSource of their records: it is no AWS service.
const AdminService = "cofre"

// Encode makes the record of one call. refusal is nil where the call succeeded;
// a refused call has no response elements, and one that was denied names no
// parameters and no resources either, as CloudTrail records it.
func Encode(c *call.Call, refusal *call.Error) ([]byte, error) {
	e := eventOf(c)
	if refusal != nil {
		e.refuse(refusal)
	}
	return e.encode()
}

// eventOf is the event of a call that succeeds.
func eventOf(c *call.Call) event {
	e := event{
		eventTime:  c.Time,
		source:     source(c.Service),
		name:       c.Operation,
		region:     c.Region,
		sourceIP:   c.SourceIP,
		userAgent:  c.UserAgent,
		requestID:  c.RequestID,
		eventID:    c.EventID,
		readOnly:   c.ReadOnly,
		eventType:  ledger.EventTypeAPICall,
		recipient:  c.Principal.AccountID,
		resources:  c.Record.Resources,
		parameters: c.Record.Parameters,
		response:   c.Record.Response,
		additional: c.Record.Additional,
		tls:        c.TLS,
		identity: ledger.UserIdentity{
			Type:        c.Principal.Type,
			PrincipalID: c.Principal.PrincipalID,
			ARN:         c.Principal.ARN,
			AccountID:   c.Principal.AccountID,
			AccessKeyID: c.Principal.AccessKeyID,
			UserName:    c.Principal.UserName,

			SessionContext:   sessionContext(c.Principal.Session),
			IdentityProvider: c.Principal.Provider,
		},
	}
	e.invokedBy(c)
	return e
}

// invokedBy says that a service makes the call: its name stands where its address
// would. One that calls for itself is nobody of any account, and the record is
// that of the account whose resource it uses ("CloudTrail userIdentity element",
// invokedBy and AWSService).
func (e *event) invokedBy(c *call.Call) {
	name := c.Principal.By()
	if name == "" {
		return
	}
	e.sourceIP, e.userAgent, e.tls = name, name, nil
	e.identity.InvokedBy = name
	if c.Principal.Service == nil {
		return
	}
	e.identity = ledger.UserIdentity{Type: c.Principal.Type, InvokedBy: name}
	if len(c.Record.Resources) > 0 {
		e.recipient = c.Record.Resources[0].AccountID
	}
}

// refuse turns the event of a call into that of its refusal.
func (e *event) refuse(refusal *call.Error) {
	e.errorCode, e.errorMessage = refusal.RecordCode, refusal.Message
	if e.errorCode == "" {
		e.errorCode = refusal.Code
	}
	e.response = nil
	if e.errorCode == accessDenied {
		e.parameters, e.additional, e.resources = nil, nil, nil
	}
}

// accessDenied is the errorCode of a denied call in CloudTrail, whatever its
// service calls the exception.
const accessDenied = "AccessDenied"

// ServiceEvent is work that no caller asked for: what the steward does.
type ServiceEvent struct {
	Service    string // "kms"
	Name       string // "DeleteKey"
	EventID    string // UUID
	Time       time.Time
	Region     string
	AccountID  string // whose resource it is
	Resources  []ledger.Resource
	InvokedBy  string // userIdentity.invokedBy; "" means AWS Internal
	Parameters any    // requestParameters; nil is recorded as null
	Response   any    // responseElements; nil is recorded as null
	Details    any    // serviceEventDetails; nil is left out
}

// Service makes the record of a service event (eventType AwsServiceEvent).
func Service(s ServiceEvent) ([]byte, error) {
	e := event{
		eventTime:  s.Time,
		source:     source(s.Service),
		name:       s.Name,
		region:     s.Region,
		sourceIP:   ledger.InvokedByInternal,
		userAgent:  ledger.InvokedByInternal,
		eventID:    s.EventID,
		eventType:  ledger.EventTypeService,
		recipient:  s.AccountID,
		resources:  s.Resources,
		parameters: s.Parameters,
		response:   s.Response,
		details:    s.Details,
		identity:   ledger.UserIdentity{AccountID: s.AccountID, InvokedBy: cmp.Or(s.InvokedBy, ledger.InvokedByInternal)},
	}
	return e.encode()
}

func source(service string) string {
	if service == AdminService {
		return service
	}
	return service + ".amazonaws.com"
}
