package policy

import "fmt"

// SyntaxError says what is wrong with a document. [Parse] returns no other error.
type SyntaxError struct {
	// Message is what AWS says of such a document, which is often not much.
	Message string
	// Detail says more, and where; it may quote the document.
	Detail string
}

// Error is the message with the detail.
func (e *SyntaxError) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + " (" + e.Detail + ")"
}

// What AWS says of documents that it refuses.
const (
	wrongSyntax       = "Syntax errors in policy."
	invalidPrincipals = "Policy contains a statement with one or more invalid principals."
	noActions         = "Policy statement must contain actions."
	noResources       = "Policy statement must contain resources."
	noVendor          = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	manyColons        = "Actions/Condition can contain only one colon."
	principalInside   = "Policy document should not specify a principal."
	repeatedSid       = "Statement IDs (SID) in a single policy must be unique."
	wrongSid          = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular " +
		"expression [0-9A-Za-z]*"
	onlyAssume        = "AssumeRole policy may only specify STS AssumeRole actions."
	prohibitsResource = "Has prohibited field Resource"
	missingPrincipal  = "Missing required field Principal"
)

// malformed makes the error of a document.
func malformed(message, detail string, args ...any) error {
	return &SyntaxError{Message: message, Detail: fmt.Sprintf(detail, args...)}
}
