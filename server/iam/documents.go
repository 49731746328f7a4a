package iam

import (
	"errors"
	"strings"

	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/state"
)

// The longest documents, in characters without white space ("IAM and STS
// quotas", IAM user guide).
const (
	maxManagedDocument = 6144
	maxTrustDocument   = 2048
)

// checkDocument refuses a text that is no policy of an identity.
func (s *Service) checkDocument(text string) error {
	if size(text) > maxManagedDocument {
		return limitExceeded("PolicySize", maxManagedDocument)
	}
	_, err := policy.Parse(policy.IdentityPolicy, text)
	return unreadable(err)
}

// checkTrust refuses a text that is no trust policy, or that names users or roles
// that there are not. It answers the unique ids of those that it names: who is
// made again under an old name is not trusted ("AWS JSON policy elements:
// Principal", IAM user guide).
func (s *Service) checkTrust(v *visit, text string) (map[string]string, error) {
	if size(text) > maxTrustDocument {
		return nil, limitExceeded("ACLSizePerRole", maxTrustDocument)
	}
	document, err := policy.Parse(policy.TrustPolicy, text)
	if err != nil {
		return nil, unreadable(err)
	}
	ids := map[string]string{}
	for _, arn := range document.Principals() {
		id, err := uniqueID(v, arn)
		if err != nil {
			return nil, err
		}
		if id == "" {
			return nil, malformed("Invalid principal in policy: \"AWS\":\"%s\"", arn)
		}
		ids[arn] = id
	}
	return ids, nil
}

// uniqueID answers the unique id of the user or role that a text names, as a
// trust policy does; "" where it names none. What it finds in another account
// may change without notice: the id stays what it is.
func uniqueID(v *visit, text string) (string, error) {
	if who, _, err := state.Identities.Peek(v.tx.View(), text); err != nil || who != nil {
		return text, err
	}
	part := strings.SplitN(text, ":", 6)
	if len(part) != 6 {
		return "", nil
	}
	kind, name, _ := strings.Cut(part[5], "/")
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	switch kind {
	case "user":
		u, _, err := state.Users.Peek(v.tx.View(), part[4], name)
		if err == nil && u != nil && u.ARN() == text {
			return u.ID, nil
		}
		return "", err
	case "role":
		r, _, err := state.Roles.Peek(v.tx.View(), part[4], name)
		if err == nil && r != nil && r.ARN() == text {
			return r.ID, nil
		}
		return "", err
	case "assumed-role":
		r, _, err := state.Roles.Peek(v.tx.View(), part[4], strings.ToLower(strings.Split(part[5], "/")[1]))
		if err == nil && r != nil {
			return r.ID, nil
		}
		return "", err
	}
	return "", nil
}

// unreadable words what is wrong with a document.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	if wrong := (*policy.SyntaxError)(nil); errors.As(err, &wrong) {
		return malformed("%s", wrong.Message)
	}
	return err
}

// size is a document's length as quotas count it: without white space.
func size(text string) int {
	n := 0
	for _, r := range text {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}
