package kms

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/cofre-kms/cofre/server/call"
)

// maxPolicy is the longest key policy in bytes ("Resource quotas" in the KMS
// developer guide; the model's bound is wider).
const maxPolicy = 32768

// document is a key policy, as far as its form goes (IAM user guide, "Grammar of
// the IAM JSON policy language").
type document struct {
	Version, ID string
	Statement   json.RawMessage // one statement or a list of them
}

type statement struct {
	Sid, Effect             string
	Principal, NotPrincipal json.RawMessage
	Action, NotAction       json.RawMessage
	Resource, NotResource   json.RawMessage
	Condition               json.RawMessage
}

// checkPolicy refuses a text that has not the form of a key policy: what it
// allows cannot be read out of it.
func checkPolicy(text string) error {
	if len(text) > maxPolicy {
		return limitExceeded("The key policy must not be larger than %d bytes.", maxPolicy)
	}
	var d document
	if json.Valid([]byte(text)) && exactly([]byte(text), &d) && d.valid() {
		return nil
	}
	return call.Errorf("MalformedPolicyDocumentException", "The key policy is not a valid policy document.")
}

func (d *document) valid() bool {
	var list []statement
	if !exactly(d.Statement, &list) {
		list = make([]statement, 1)
		if !exactly(d.Statement, &list[0]) {
			return false
		}
	}
	return slices.Contains([]string{"", "2008-10-17", "2012-10-17"}, d.Version) &&
		len(list) > 0 && !slices.ContainsFunc(list, statement.invalid)
}

// invalid says whether an element is missing that a statement of a key policy has
// to have ("Elements in a key policy", KMS developer guide).
func (s statement) invalid() bool {
	either := func(element, negation json.RawMessage) bool { return (element == nil) != (negation == nil) }
	return s.Effect != "Allow" && s.Effect != "Deny" ||
		!either(s.Principal, s.NotPrincipal) || !either(s.Action, s.NotAction) || !either(s.Resource, s.NotResource)
}

// exactly decodes a JSON value that has no members but those of v.
func exactly(data []byte, v any) bool {
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	return in.Decode(v) == nil
}
