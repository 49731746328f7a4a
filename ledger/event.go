package ledger

// Event is one audit record in the shape of AWS CloudTrail (record version
// 1.11, "CloudTrail record contents" in the CloudTrail user guide). Its JSON
// encoding is what the ledger hashes and keeps. Members that CloudTrail writes
// as null when they are empty have no omitempty.
type Event struct {
	EventVersion        string       `json:"eventVersion"`
	UserIdentity        UserIdentity `json:"userIdentity"`
	EventTime           string       `json:"eventTime"` // RFC 3339, UTC, whole seconds
	EventSource         string       `json:"eventSource"`
	EventName           string       `json:"eventName"`
	AWSRegion           string       `json:"awsRegion"`
	SourceIPAddress     string       `json:"sourceIPAddress"`
	UserAgent           string       `json:"userAgent"`
	ErrorCode           string       `json:"errorCode,omitempty"`
	ErrorMessage        string       `json:"errorMessage,omitempty"`
	RequestParameters   any          `json:"requestParameters"`
	ResponseElements    any          `json:"responseElements"`
	AdditionalEventData any          `json:"additionalEventData,omitempty"`
	RequestID           string       `json:"requestID,omitempty"`
	EventID             string       `json:"eventID"`
	ReadOnly            bool         `json:"readOnly"`
	Resources           []Resource   `json:"resources,omitzero"` // nil is left out, empty is []
	EventType           string       `json:"eventType"`
	ManagementEvent     bool         `json:"managementEvent"`
	RecipientAccountID  string       `json:"recipientAccountId"`
	SharedEventID       string       `json:"sharedEventID,omitempty"` // of the records that two accounts have of one call
	ServiceEventDetails any          `json:"serviceEventDetails,omitempty"`
	EventCategory       string       `json:"eventCategory"`
	TLSDetails          *TLSDetails  `json:"tlsDetails,omitempty"`
}

// UserIdentity says who called.
type UserIdentity struct {
	Type        string `json:"type,omitempty"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	UserName    string `json:"userName,omitempty"`

	SessionContext *SessionContext `json:"sessionContext,omitempty"`

	InvokedBy        string `json:"invokedBy,omitempty"`
	IdentityProvider string `json:"identityProvider,omitempty"`
}

// SessionContext says how a caller came by temporary credentials ("CloudTrail
// userIdentity element").
type SessionContext struct {
	SessionIssuer       *SessionIssuer       `json:"sessionIssuer,omitempty"`
	WebIDFederationData *WebIDFederationData `json:"webIdFederationData,omitempty"`
	SourceIdentity      string               `json:"sourceIdentity,omitempty"`
	Attributes          SessionAttributes    `json:"attributes"`
}

// SessionIssuer is the identity that a session acts for.
type SessionIssuer struct {
	Type        string `json:"type"` // Role
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// WebIDFederationData says whose word a session rests on.
type WebIDFederationData struct {
	FederatedProvider string `json:"federatedProvider,omitempty"`
}

// SessionAttributes are those of a session.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`     // RFC 3339, UTC, whole seconds
	MFAAuthenticated string `json:"mfaAuthenticated"` // "true" or "false"
}

// Resource is a thing that the call touched.
type Resource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type"` // AWS::KMS::Key: of keys and of aliases
	ARN       string `json:"ARN"`
}

// TLSDetails describes the client's connection.
type TLSDetails struct {
	TLSVersion               string `json:"tlsVersion,omitempty"`
	CipherSuite              string `json:"cipherSuite,omitempty"`
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader,omitempty"`
	KeyExchange              string `json:"keyExchange,omitempty"`
}

// Values of the members that never vary.
const (
	EventVersion      = "1.11"
	EventTypeAPICall  = "AwsApiCall"
	EventTypeService  = "AwsServiceEvent"
	EventCategory     = "Management"
	InvokedByInternal = "AWS Internal"
)

// MaxEvent is the largest encoded event in bytes: the length of an entry in a
// C2SP tlog-tiles entry bundle has 16 bits.
const MaxEvent = 65535
