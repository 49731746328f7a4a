package kms

import (
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

const iamPrefix = "arn:aws:iam::"

// principal finds whom an ARN names: an account, by its root user's ARN or by
// its bare id; a user; a role; a session of a role. Whom it finds is read
// through the transaction, and remembered by the id that nobody else will ever
// have.
func principal(tx *fsm.Txn, arn string) (*state.Principal, error) {
	if accountID(arn) {
		return accountPrincipal(tx, arn, arn)
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != "aws" || parts[3] != "" || !accountID(parts[4]) {
		return nil, noPrincipal(arn)
	}
	account, resource := parts[4], parts[5]
	kind, rest, _ := strings.Cut(resource, "/")
	switch {
	case parts[2] == "iam" && resource == "root":
		return accountPrincipal(tx, account, arn)
	case parts[2] == "iam" && kind == "user":
		return userPrincipal(tx, account, rest, arn)
	case parts[2] == "iam" && kind == "role":
		return rolePrincipal(tx, account, rest, "", arn)
	case parts[2] == "sts" && kind == "assumed-role":
		role, session, _ := strings.Cut(rest, "/")
		if session != "" {
			return rolePrincipal(tx, account, role, session, arn)
		}
	}
	return nil, noPrincipal(arn)
}

func userPrincipal(tx *fsm.Txn, account, rest, arn string) (*state.Principal, error) {
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	user, err := state.Users.Get(tx, account, strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	if user == nil || user.ARN() != arn {
		return nil, noPrincipal(arn)
	}
	return &state.Principal{ARN: arn, ID: user.ID}, nil
}

// rolePrincipal finds a role, or its session of a name. A session's ARN leaves
// the role's path out, and its id is the role's with the session's name.
func rolePrincipal(tx *fsm.Txn, account, rest, session, arn string) (*state.Principal, error) {
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	role, err := state.Roles.Get(tx, account, strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	if role == nil || session == "" && role.ARN() != arn || session != "" && role.Name != rest {
		return nil, noPrincipal(arn)
	}
	id := role.ID
	if session != "" {
		id += ":" + session
	}
	return &state.Principal{ARN: arn, ID: id}, nil
}

func accountPrincipal(tx *fsm.Txn, id, arn string) (*state.Principal, error) {
	account, err := state.Accounts.Get(tx, id)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, noPrincipal(arn)
	}
	return &state.Principal{ARN: rootARN(id), ID: id}, nil
}

// service is the principal that an AWS service is.
func service(name string) *state.Principal {
	return &state.Principal{ARN: name, ID: name, Service: true}
}

// rootARN names an account as principals are named.
func rootARN(account string) string { return iamPrefix + account + ":root" }

// noPrincipal refuses an ARN, in the words that clients of AWS wait for when
// they have made a role a moment ago.
func noPrincipal(arn string) error {
	return call.Errorf("InvalidArnException", "ARN does not refer to a valid principal: %s", arn)
}

// answeredPrincipal is a principal as ListGrants answers it: by the ARN that it has
// now, or, when it is gone, by the unique id that it had.
func answeredPrincipal(view fsm.View, p *state.Principal) (arn, service string, err error) {
	id, _, session := strings.Cut(p.ID, ":")
	if p.Service {
		return "", p.ARN, nil
	}
	if accountID(id) {
		return p.ARN, "", nil
	}
	identity, _, err := state.Identities.Peek(view, id)
	if err != nil || identity == nil {
		return p.ID, "", err
	}
	if identity.Kind == state.UserKind {
		user, _, err := state.Users.Peek(view, identity.AccountID, identity.Name)
		if err != nil || user == nil {
			return p.ID, "", err
		}
		return user.ARN(), "", nil
	}
	role, _, err := state.Roles.Peek(view, identity.AccountID, identity.Name)
	if err != nil || role == nil || session { // a session's ARN has no path that could change
		return p.ARN, "", err
	}
	return role.ARN(), "", nil
}

// accountOf is the account that a principal belongs to.
func accountOf(p *state.Principal) string {
	return strings.SplitN(p.ARN, ":", 6)[4]
}
