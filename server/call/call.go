// Package call is the vocabulary between the HTTP front end and the services
// behind it: what a call is, what an operation is, and the errors that clients
// see. It owns no state and does no I/O.
package call

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
)

// Call is one authenticated request on its way through an operation. It belongs
// to the goroutine that serves the request.
type Call struct {
	Service   string // the SigV4 service name: "kms", …
	Operation string // "Encrypt"
	ReadOnly  bool   // the operation's: CloudTrail's readOnly
	RequestID string // UUID; the x-amzn-RequestId of the answer
	EventID   string // UUID of the audit record
	Time      time.Time
	Region    string // from the credential scope
	SourceIP  string
	UserAgent string
	TLS       *ledger.TLSDetails

	// Principal is who calls: set inside the transaction, before the operation
	// runs, by reads that guard the transaction.
	Principal Principal

	// Quota takes the call from its account's request-rate quota of a group, and
	// answers false where it is used up. nil: there are no quotas. See Charge.
	Quota func(group string) bool
	// Charged says that Charge has taken it from one.
	Charged bool

	// Attestation is what the enclave that the answer is for has proved; nil where
	// the caller reads the answer. An operation sets it before it asks whether the
	// caller is authorized.
	Attestation *Attestation

	// Record is what the operation says of itself to the audit record. It is
	// cleared before every run of the operation.
	Record Record
}

// ErrThrottled is returned when a request-rate quota of the caller's account is
// used up. It is no exception of the operation: nothing is committed, so nothing
// is recorded.
var ErrThrottled = errors.New("call: a request-rate quota is used up")

// Charge takes the call from a quota that depends on what the operation has read;
// the front end has taken it from that of its name. However often the operation
// runs, a group is charged once. The error is ErrThrottled.
func (c *Call) Charge(group string) error {
	if c.Quota != nil && !c.Quota(group) {
		return ErrThrottled
	}
	c.Charged = true
	return nil
}

// Principal is an authenticated identity.
type Principal struct {
	Type        string // "IAMUser", "AssumedRole" …, as CloudTrail's userIdentity.type
	AccountID   string // 12 digits
	ARN         string // arn:aws:iam::123456789012:user/admin
	PrincipalID string // AIDA…
	UserName    string
	AccessKeyID string
	// Provider is the identity provider that vouches for a WebIdentityUser.
	Provider string
	// Session is nil for long-term credentials.
	Session *Session
	// Service is set where an AWS service calls for itself: Type is AWSService, ARN
	// and PrincipalID are its name, AccountID is the operator account.
	Service *Service
	// Via is the name of the AWS service that makes the call for the principal;
	// empty where it calls itself.
	Via string
}

// Service is an AWS service that calls for itself.
type Service struct {
	Name string // "s3.amazonaws.com"
	// SourceARN and SourceAccount say on account of what it calls, in its own words;
	// empty where it does not say.
	SourceARN, SourceAccount string
}

// By is the name of the service that makes a call for itself or for somebody,
// empty where there is none.
func (p *Principal) By() string {
	if p.Service != nil {
		return p.Service.Name
	}
	return p.Via
}

// Attestation is what a verified attestation document says to policies: the
// values of kms:RecipientAttestation:… condition keys, in lower-case hex.
type Attestation struct {
	ImageSha384 string         // kms:RecipientAttestation:ImageSha384, the PCR0 of an enclave; "" where there is none
	PCRs        map[int]string // kms:RecipientAttestation:PCR<n>
	NitroTPM    map[int]string // kms:RecipientAttestation:NitroTPMPCR<n>
}

// Record is an operation's part of the audit record. The values are structs
// declared for the purpose, never a request or response as such: what is not
// declared cannot be recorded.
type Record struct {
	Parameters any // requestParameters; nil is recorded as null
	Response   any // responseElements; nil is recorded as null
	Additional any // additionalEventData; nil is left out
	Resources  []ledger.Resource
	// SharedWith is the account that gets a record of the call, too, where it
	// succeeds: that of a resource of another account. Empty where none does.
	SharedWith string
}

// Operation is a row of a service's table.
type Operation struct {
	Name     string
	ReadOnly bool // CloudTrail's readOnly
	// Decode parses and validates a request body, and keeps nothing of body: it is
	// overwritten afterwards. Its error is an *Error.
	Decode func(body []byte) (any, error)
	// Vouch, where it is set, stands in for a signature, which the operation needs
	// none of: it answers who calls by what the request itself brings, and may
	// note in the request what it found. It runs before the transaction, and may ask
	// others. An *Error turns the request away, which is no record's business.
	Vouch func(ctx context.Context, view fsm.View, request any) (*Principal, error)
	// Run is the operation: a plain function over a transaction, run again when
	// the transaction conflicts, so all its effects are in tx, c.Record and what it
	// answers. An *Error refuses the call: the front end rolls the writes back and
	// records the refusal. Any other error is a failure inside Cofre (500). The
	// response is encoded as JSON; nil is an empty body; a Later is called once the
	// transaction is committed and applied here.
	Run func(ctx context.Context, tx *fsm.Txn, c *Call, request any) (response any, err error)
	// Response is the type that the operation's method answers: documentation for
	// those who describe the API.
	Response reflect.Type
}

// Later answers a call after its record is committed, from a state that includes
// it: how lists, which span more keys than a transaction can guard, are
// linearizable all the same. It is not told to the client unless what the
// transaction read still holds when the answer has been read, so the operation
// does not write what it reads.
type Later func(view fsm.View) (response any, err error)

// Bind makes an operation of a typed method.
func Bind[Req, Resp any](name string, readOnly bool, decode func([]byte, *Req) error,
	run func(context.Context, *fsm.Txn, *Call, *Req) (Resp, error)) Operation {
	return Operation{
		Name:     name,
		ReadOnly: readOnly,
		Response: reflect.TypeFor[Resp](),
		Decode: func(body []byte) (any, error) {
			req := new(Req)
			if err := decode(body, req); err != nil {
				return nil, err
			}
			return req, nil
		},
		Run: func(ctx context.Context, tx *fsm.Txn, c *Call, request any) (any, error) {
			resp, err := run(ctx, tx, c, request.(*Req))
			if err != nil {
				return nil, err
			}
			return resp, nil
		},
	}
}
