package authz

import (
	"fmt"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/state"
)

// identity is what IAM knows of a user or role: its policies and those of its
// groups, compiled. It is immutable.
type identity struct {
	policies []*policy.Document
	boundary *policy.Document // nil where there is none
	tags     []state.Tag
	size     int // of the policies' texts, in bytes
}

// identityName is a user or role of an account whose directory is at a revision.
// Whatever changes in what the identity has, the revision changes.
type identityName struct {
	account, id string
	revision    fsm.Rev
}

// readIdentity reads what an identity has; nothing, where there is none of the
// name.
func readIdentity(view fsm.View, name identityName) (*identity, error) {
	r := &reader{view: view, account: name.account, found: &identity{}}
	return r.found, r.all(name.id)
}

// Source is a policy of an identity and where it is from.
type Source struct {
	Name     string // of an inline policy, or the ARN of a managed one
	Document *policy.Document
}

// Policies answers the policies of a user, group or role that has a unique id,
// its groups' among them, and its permissions boundary, nil where it has none. The
// account's directory guards what it reads.
func (a *Authorizer) Policies(view fsm.View, account, id string) ([]Source, *policy.Document, error) {
	r := &reader{view: view, account: account, found: &identity{}}
	if err := r.all(id); err != nil {
		return nil, nil, err
	}
	var list []Source
	for i, d := range r.found.policies {
		list = append(list, Source{r.names[i], d})
	}
	return list, r.found.boundary, nil
}

// reader reads the records of one identity.
type reader struct {
	view    fsm.View
	account string
	found   *identity
	names   []string // of found.policies
}

func (r *reader) all(id string) error {
	if err := r.policies(id); err != nil {
		return err
	}
	err := state.UserGroups.Scan(r.view, []string{r.account, id}, nil, func(id []string, _ *state.Membership) (bool, error) {
		return true, r.policies(id[2])
	})
	if err != nil {
		return err
	}
	return r.self(id)
}

// policies reads the policies of a user, a role or a group.
func (r *reader) policies(id string) error {
	prefix := []string{r.account, id}
	err := state.InlinePolicies.Scan(r.view, prefix, nil, func(_ []string, p *state.InlinePolicy) (bool, error) {
		return true, r.add(p.Name, p.Text)
	})
	if err != nil {
		return err
	}
	return state.Attachments.Scan(r.view, prefix, nil, func(_ []string, a *state.Attachment) (bool, error) {
		text, err := r.managed(a.ARN)
		if err != nil {
			return false, err
		}
		return true, r.add(a.ARN, text)
	})
}

func (r *reader) add(name, text string) error {
	d, err := policy.Parse(policy.IdentityPolicy, text)
	if err != nil {
		return fmt.Errorf("policy %s: %w", name, err)
	}
	r.found.policies = append(r.found.policies, d)
	r.names = append(r.names, name)
	r.found.size += len(text)
	return nil
}

// self reads the boundary and the tags of the user or role itself.
func (r *reader) self(id string) error {
	known, _, err := state.Identities.Peek(r.view, id)
	if err != nil || known == nil {
		return err
	}
	var boundary string
	switch known.Kind {
	case state.UserKind:
		user, _, err := state.Users.Peek(r.view, known.AccountID, known.Name)
		if err != nil || user == nil {
			return err
		}
		boundary, r.found.tags = user.Boundary, user.Tags
	case state.RoleKind:
		role, _, err := state.Roles.Peek(r.view, known.AccountID, known.Name)
		if err != nil || role == nil {
			return err
		}
		boundary, r.found.tags = role.Boundary, role.Tags
	}
	if boundary == "" {
		return nil
	}
	text, err := r.managed(boundary)
	if err == nil {
		r.found.boundary, err = policy.Parse(policy.Boundary, text)
	}
	return err
}

// managed answers the text of a managed policy: of AWS, or of the account in its
// version in force. One that does not exist is an error: it might have denied.
func (r *reader) managed(arn string) (string, error) {
	if m := managed.Find(arn); m != nil {
		return m.Text, nil
	}
	text, err := ownPolicy(r.view, r.account, arn)
	if err == nil && text == "" {
		err = fmt.Errorf("there is no policy %s", arn)
	}
	return text, err
}

// ownPolicy answers the text of a managed policy of an account; "" where there is
// none.
func ownPolicy(view fsm.View, account, arn string) (string, error) {
	name := strings.ToLower(arn[strings.LastIndexByte(arn, '/')+1:])
	p, _, err := state.Policies.Peek(view, account, name)
	if err != nil || p == nil || p.ARN() != arn {
		return "", err
	}
	version, _, err := state.PolicyVersions.Peek(view, account, name, fmt.Sprintf("%08d", p.Default))
	if err == nil && version == nil {
		err = fmt.Errorf("policy %s has no version %d", arn, p.Default)
	}
	if err != nil {
		return "", err
	}
	return version.Text, nil
}
