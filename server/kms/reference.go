package kms

import (
	"strings"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

// reference is how a request names a key: by id, key ARN, alias name or alias
// ARN ("Key identifiers (KeyId)" in the KMS developer guide).
type reference struct {
	account, region string
	id              string // of a key; "" where an alias is named
	alias           string // with "alias/"; "" where a key is named
}

const (
	arnPrefix   = "arn:aws:kms:"
	aliasPrefix = "alias/"
)

// parseReference reads what a client wrote for a key. What is not an ARN means
// the caller's account and the Region of the call.
func parseReference(c *call.Call, text string) (reference, error) {
	r := reference{account: c.Principal.AccountID, region: c.Region}
	resource := text
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", 6)
		if len(parts) != 6 || !strings.HasPrefix(text, arnPrefix) || !accountID(parts[4]) {
			return r, call.Errorf("InvalidArnException", "Invalid arn %s", text)
		}
		if parts[3] != c.Region {
			return r, notFound("Invalid arn %s", parts[3])
		}
		r.account, resource = parts[4], parts[5]
		if id, ok := strings.CutPrefix(resource, "key/"); ok {
			resource = id
		} else if !strings.HasPrefix(resource, aliasPrefix) {
			return r, call.Errorf("InvalidArnException", "Invalid arn %s", text)
		}
	}
	switch {
	case strings.HasPrefix(resource, aliasPrefix) && aliasName(resource):
		r.alias = resource
	case keyID(resource):
		r.id = resource
	default:
		return r, notFound("Invalid keyId '%s'", text)
	}
	return r, nil
}

func (r reference) keyARN() string   { return arnPrefix + r.region + ":" + r.account + ":key/" + r.id }
func (r reference) aliasARN() string { return arnPrefix + r.region + ":" + r.account + ":" + r.alias }

// accountID says whether s has the form of an account id.
func accountID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// keyID says whether s has the form of a key id.
func keyID(s string) bool {
	_, err := hsm.ParseKeyID(s)
	return err == nil
}

// aliasName says whether s is "alias/" and a name of the characters that an
// alias may have. The model's pattern also allows ':', which AWS refuses.
func aliasName(s string) bool {
	name, ok := strings.CutPrefix(s, aliasPrefix)
	return ok && some(func(r rune) bool { return word(r) || r == '/' || r == '-' })(name)
}
