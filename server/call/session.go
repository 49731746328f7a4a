package call

// Session is how a principal came by temporary credentials. It is immutable.
type Session struct {
	// Name is the session's: RoleSessionName. Empty where a user made it for itself.
	Name string
	// Issuer is the role or user whose permissions the session has.
	Issuer Issuer
	// Issued is when it was made, in Unix milliseconds.
	Issued int64
	// Policies are the texts of the session policies, none where none were passed.
	Policies []string
	// Tags are the session tags, sorted by key.
	Tags []Tag
	// Transitive are the keys of the tags that go on to sessions made from this one.
	Transitive []string
	// Source is the long-term access key at the beginning; empty for web identities.
	Source string
	// SourceIdentity is what the first of a chain of sessions was made with.
	SourceIdentity string
	// Provider is the URL of the OpenID Connect provider behind a web identity, and
	// Subject whom it named.
	Provider, Subject string
}

// Issuer is the identity that a session acts for.
type Issuer struct {
	Type      string // "Role" or "IAMUser"
	ID        string // AROA…, AIDA…
	ARN       string // with its path
	AccountID string
	Name      string
}

// Tag is a session tag.
type Tag struct {
	Key   string `cbor:"1,keyasint"`
	Value string `cbor:"2,keyasint"`
}
