package sts_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/iam"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

// form writes names and values, one after the other, as a form.
func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// manage calls an operation of IAM that must succeed.
func (f *fixture) manage(t *testing.T, operation string, pairs ...string) string {
	t.Helper()
	answer, err := f.call(t, "iam", iam.Namespace, f.iam.Operations(), operation, form(pairs...))
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return answer
}

// element is what the first element of a name holds.
func element(answer, name string) string {
	if found := regexp.MustCompile("<" + name + ">([^<]*)</" + name + ">").FindStringSubmatch(answer); found != nil {
		return found[1]
	}
	return ""
}

// as runs part of a test in the name of somebody else.
func (f *fixture) as(p call.Principal, run func()) {
	mine := f.caller
	f.caller = p
	defer func() { f.caller = mine }()
	run()
}

// withKey is whom an access key stands for.
func (f *fixture) withKey(t *testing.T, id string) (p call.Principal) {
	t.Helper()
	if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) error {
		who, _, err := f.identity.Authenticate(tx, id)
		if err == nil {
			p = *who
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// user makes a user with an inline policy.
func (f *fixture) user(t *testing.T, name, policy string) call.Principal {
	t.Helper()
	f.manage(t, "CreateUser", "UserName", name)
	if policy != "" {
		f.manage(t, "PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", policy)
	}
	return f.withKey(t, element(f.manage(t, "CreateAccessKey", "UserName", name), "AccessKeyId"))
}

// role makes a role with a trust policy, and answers its ARN.
func (f *fixture) role(t *testing.T, name, trust string, more ...string) string {
	t.Helper()
	return element(f.manage(t, "CreateRole", append([]string{"RoleName", name, "AssumeRolePolicyDocument", trust}, more...)...), "Arn")
}

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func allow(principal, actions, condition string) string {
	s := `{"Effect":"Allow",`
	if principal != "" {
		s += `"Principal":{"AWS":"` + principal + `"},`
	} else {
		s += `"Resource":"*",`
	}
	if condition != "" {
		s += `"Condition":` + condition + `,`
	}
	return s + `"Action":["` + strings.Join(strings.Fields(actions), `","`) + `"]}`
}

// assume assumes a role and answers who the session is; the refusal where there
// is none.
func (f *fixture) assume(t *testing.T, arn string, more ...string) (*call.Principal, *identity.Session, error) {
	t.Helper()
	answer, err := f.do(t, "AssumeRole", form(append([]string{"RoleArn", arn, "RoleSessionName", "s1"}, more...)...))
	if err != nil {
		return nil, nil, err
	}
	p, session := f.resume(t, element(answer, "SessionToken"))
	return p, session, nil
}

// resume is who a session token stands for.
func (f *fixture) resume(t *testing.T, token string) (p *call.Principal, session *identity.Session) {
	t.Helper()
	session, err := f.identity.OpenSession(t.Context(), f.node.View(), token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) (err error) {
		p, err = f.identity.Resume(tx, session)
		return err
	}); err != nil || p == nil {
		t.Fatalf("the session is nobody's: %v", err)
	}
	return p, session
}

func (f *fixture) mustAssume(t *testing.T, arn string, more ...string) (*call.Principal, *identity.Session) {
	t.Helper()
	p, session, err := f.assume(t, arn, more...)
	if err != nil {
		t.Fatalf("AssumeRole %q: %v", more, err)
	}
	return p, session
}

func (f *fixture) refuse(t *testing.T, want, arn string, more ...string) {
	t.Helper()
	if _, _, err := f.assume(t, arn, more...); err == nil || err.Error() != want {
		t.Errorf("AssumeRole %q: %v\nwant %s", more, err, want)
	}
}

func notAuthorized(who call.Principal, action, arn, why string) string {
	return "AccessDenied: User: " + who.ARN + " is not authorized to perform: sts:" + action + " on resource: " + arn + why
}

// TestTrust: a trust policy that names the user is enough, one that names the
// account leaves it to the account, and without one nobody is let in.
func TestTrust(t *testing.T) {
	f := newFixture(t)
	account := f.root.AccountID
	plain := f.user(t, "plain", "")
	able := f.user(t, "able", policyOf(allow("", "sts:AssumeRole", "")))
	byName := f.role(t, "ByName", policyOf(allow(plain.ARN, "sts:AssumeRole", "")), "Path", "/a/")
	byAccount := f.role(t, "ByAccount", policyOf(allow("arn:aws:iam::"+account+":root", "sts:AssumeRole", "")))
	denying := f.role(t, "Denying", policyOf(allow(account, "sts:AssumeRole", ""),
		`{"Effect":"Deny","Principal":{"AWS":"`+able.ARN+`"},"Action":"sts:*"}`))
	const noResource, noIdentity = " because no resource-based policy allows the sts:AssumeRole action", " because no identity-based policy allows the sts:AssumeRole action"
	f.as(plain, func() {
		who, session := f.mustAssume(t, byName)
		if who.Type != "AssumedRole" || who.ARN != "arn:aws:sts::"+account+":assumed-role/ByName/s1" || session.Source != plain.AccessKeyID ||
			session.Expires-session.Issued != 3_600_000 || who.Session.Issuer.ARN != byName {
			t.Errorf("the session is %+v of %+v", session, who)
		}
		f.refuse(t, notAuthorized(plain, "AssumeRole", byAccount, noIdentity), byAccount)
		none := "arn:aws:iam::" + account + ":role/None"
		f.refuse(t, notAuthorized(plain, "AssumeRole", none, ""), none)
		f.refuse(t, notAuthorized(plain, "AssumeRole", strings.Replace(byName, "/a/", "/b/", 1), ""), strings.Replace(byName, "/a/", "/b/", 1))
		f.refuse(t, "ValidationError: arn:aws:iam::"+account+":user/plain is invalid", "arn:aws:iam::"+account+":user/plain")
	})
	f.as(able, func() {
		f.mustAssume(t, byAccount)
		f.refuse(t, notAuthorized(able, "AssumeRole", byName, noResource), byName)
		f.refuse(t, notAuthorized(able, "AssumeRole", denying, " with an explicit deny in a resource-based policy"), denying)
	})
	// Who is made again under the name is somebody else.
	f.manage(t, "DeleteAccessKey", "UserName", "plain", "AccessKeyId", plain.AccessKeyID)
	f.manage(t, "DeleteUser", "UserName", "plain")
	again := f.user(t, "plain", "")
	f.as(again, func() { f.refuse(t, notAuthorized(again, "AssumeRole", byName, noResource), byName) })
}

// TestTrustConditions: external id, session name, source identity and tags.
func TestTrustConditions(t *testing.T) {
	f := newFixture(t)
	u := f.user(t, "ux", "")
	because := func(action string) string {
		return " because no resource-based policy allows the sts:" + action + " action"
	}
	external := f.role(t, "External", policyOf(allow(u.ARN, "sts:AssumeRole", `{"StringEquals":{"sts:ExternalId":"secret-42"}}`)))
	named := f.role(t, "Named", policyOf(allow(u.ARN, "sts:AssumeRole", `{"StringEquals":{"sts:RoleSessionName":"${aws:username}"}}`)))
	tagged := f.role(t, "Tagged", policyOf(allow(u.ARN, "sts:AssumeRole", ""),
		allow(u.ARN, "sts:TagSession", `{"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","Cost"],"sts:TransitiveTagKeys":["team"]}}`)))
	sourced := f.role(t, "Sourced", policyOf(allow(u.ARN, "sts:AssumeRole", ""),
		allow(u.ARN, "sts:SetSourceIdentity", `{"StringLike":{"sts:SourceIdentity":"ann*"}}`)))
	f.as(u, func() {
		f.mustAssume(t, external, "ExternalId", "secret-42")
		f.refuse(t, notAuthorized(u, "AssumeRole", external, because("AssumeRole")), external, "ExternalId", "secret-43")
		f.refuse(t, notAuthorized(u, "AssumeRole", external, because("AssumeRole")), external)
		f.mustAssume(t, named, "RoleSessionName", "ux")
		f.refuse(t, notAuthorized(u, "AssumeRole", named, because("AssumeRole")), named)

		red := []string{"Tags.member.1.Key", "team", "Tags.member.1.Value", "red"}
		who, session := f.mustAssume(t, tagged, append(red, "TransitiveTagKeys.member.1", "team", "Tags.member.2.Key", "Cost", "Tags.member.2.Value", "7")...)
		if len(who.Session.Tags) != 2 || session.Transitive[0] != "team" {
			t.Errorf("the session is %+v", session)
		}
		f.mustAssume(t, tagged)
		for _, bad := range [][]string{
			{"Tags.member.1.Key", "team", "Tags.member.1.Value", "blue"}, append(red, "Tags.member.2.Key", "x", "Tags.member.2.Value", ""),
			append(red, "Tags.member.2.Key", "Cost", "Tags.member.2.Value", "", "TransitiveTagKeys.member.1", "Cost"),
		} {
			f.refuse(t, notAuthorized(u, "TagSession", tagged, because("TagSession")), tagged, bad...)
		}
		f.refuse(t, notAuthorized(u, "TagSession", external, because("TagSession")), external, append(red, "ExternalId", "secret-42")...)
		f.refuse(t, "InvalidParameterValue: The specified transitive tag key must be included in the requested tags.", tagged, "TransitiveTagKeys.member.1", "team")
		f.refuse(t, "InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive.", tagged,
			append(red, "Tags.member.2.Key", "TEAM", "Tags.member.2.Value", "")...)
		f.refuse(t, "ValidationError: Tag keys that begin with aws: are reserved for system use.", tagged, "Tags.member.1.Key", "aws:x", "Tags.member.1.Value", "")

		who, _ = f.mustAssume(t, sourced, "SourceIdentity", "anna")
		if who.Session.SourceIdentity != "anna" {
			t.Errorf("the session is %+v", who.Session)
		}
		f.refuse(t, notAuthorized(u, "SetSourceIdentity", sourced, because("SetSourceIdentity")), sourced, "SourceIdentity", "bert")
		f.refuse(t, "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code.", tagged, "SerialNumber", "GAHT12345678", "TokenCode", "123456")
	})
}

// TestDuration: limits of the API, of the role and of chains.
func TestDuration(t *testing.T) {
	f := newFixture(t)
	u := f.user(t, "u", "")
	short := f.role(t, "Short", policyOf(allow(u.ARN, "sts:AssumeRole", "")))
	trusting := policyOf(allow(u.ARN, "sts:AssumeRole", ""), allow(short, "sts:AssumeRole", ""))
	long := f.role(t, "Long", trusting, "MaxSessionDuration", "43200")
	const outside = "ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: " +
		"Member must have value greater than or equal to 900"
	lasts := func(session *identity.Session, seconds int64) {
		t.Helper()
		if got := session.Expires - session.Issued; got != 1000*seconds {
			t.Errorf("it lasts for %d ms", got)
		}
	}
	f.as(u, func() {
		_, session := f.mustAssume(t, short, "DurationSeconds", "900")
		lasts(session, 900)
		_, session = f.mustAssume(t, long, "DurationSeconds", "43200")
		lasts(session, 43200)
		_, session = f.mustAssume(t, long)
		lasts(session, 3600)
		f.refuse(t, outside, short, "DurationSeconds", "899")
		f.refuse(t, "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", short, "DurationSeconds", "3601")
		first, _ := f.mustAssume(t, short)
		f.as(*first, func() {
			_, session := f.mustAssume(t, long)
			lasts(session, 3600)
			_, session = f.mustAssume(t, long, "DurationSeconds", "3600")
			lasts(session, 3600)
			f.refuse(t, "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
				long, "DurationSeconds", "3601")
		})
	})
}

// TestChains: transitive tags and the source identity go on, others do not, and
// each role has to agree.
func TestChains(t *testing.T) {
	f := newFixture(t)
	u := f.user(t, "u", "")
	const all = "sts:AssumeRole sts:TagSession sts:SetSourceIdentity"
	first := f.role(t, "First", policyOf(allow(u.ARN, all, "")))
	second := f.role(t, "Second", policyOf(allow(first, all, "")))
	untagged := f.role(t, "Untagged", policyOf(allow(first, "sts:AssumeRole sts:SetSourceIdentity", "")))
	unsourced := f.role(t, "Unsourced", policyOf(allow(first, "sts:AssumeRole sts:TagSession", "")))
	third := f.role(t, "Third", policyOf(allow(second, all, "")))
	f.as(u, func() {
		one, _ := f.mustAssume(t, first, "SourceIdentity", "ann", "TransitiveTagKeys.member.1", "team",
			"Tags.member.1.Key", "team", "Tags.member.1.Value", "red", "Tags.member.2.Key", "only", "Tags.member.2.Value", "here")
		f.as(*one, func() {
			because := " because no resource-based policy allows the sts:"
			f.refuse(t, notAuthorized(*one, "TagSession", untagged, because+"TagSession action"), untagged)
			f.refuse(t, notAuthorized(*one, "SetSourceIdentity", unsourced, because+"SetSourceIdentity action"), unsourced)
			f.refuse(t, "AccessDenied: The source identity of a session cannot be changed.", second, "SourceIdentity", "bert")
			f.refuse(t, "InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
				second, "Tags.member.1.Key", "Team", "Tags.member.1.Value", "blue")
			two, session := f.mustAssume(t, second, "Tags.member.1.Key", "b", "Tags.member.1.Value", "")
			if len(session.Tags) != 2 || session.Tags[1] != (call.Tag{Key: "team", Value: "red"}) || session.SourceIdentity != "ann" || session.Source != u.AccessKeyID {
				t.Errorf("the second session is %+v", session)
			}
			f.as(*two, func() {
				_, session := f.mustAssume(t, third)
				if len(session.Tags) != 1 || session.Tags[0].Key != "team" || session.SourceIdentity != "ann" {
					t.Errorf("the third session is %+v", session)
				}
			})
		})
	})
	// The whole chain ends with the access key at its beginning.
	f.as(u, func() {
		one, _ := f.mustAssume(t, first)
		var session *identity.Session
		f.as(*one, func() { _, session = f.mustAssume(t, second) })
		f.as(f.withKey(t, f.root.AccessKeyID), func() { f.manage(t, "DeleteAccessKey", "UserName", "u", "AccessKeyId", u.AccessKeyID) })
		if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) error {
			who, err := f.identity.Resume(tx, session)
			if who != nil {
				t.Errorf("the session is still %s", who.ARN)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSessionPolicies: what a session may bring.
func TestSessionPolicies(t *testing.T) {
	f := newFixture(t)
	u := f.user(t, "u", "")
	role := f.role(t, "R", policyOf(allow(u.ARN, "sts:AssumeRole", "")))
	own := element(f.manage(t, "CreatePolicy", "PolicyName", "P", "PolicyDocument", policyOf(allow("", "kms:Encrypt", ""))), "Arn")
	inline := policyOf(allow("", "kms:Decrypt", ""))
	f.as(u, func() {
		who, session := f.mustAssume(t, role, "Policy", inline, "PolicyArns.member.1.arn", own, "PolicyArns.member.2.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
		if len(session.Policies) != 3 || session.Policies[0] != inline || len(who.Session.Policies) != 3 {
			t.Errorf("the session has %q", session.Policies)
		}
		if _, _, err := f.assume(t, role, "Policy", `{"Statement":[]}`); err == nil || !strings.HasPrefix(err.Error(), "MalformedPolicyDocument: ") {
			t.Errorf("no policy: %v", err)
		}
		f.refuse(t, "ValidationError: 1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
			role, "Policy", policyOf(allow("", "kms:"+strings.Repeat("A", 2048), "")))
		f.refuse(t, "NoSuchEntity: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.", role, "PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/Nothing")
		var many []string
		for i := range 11 {
			many = append(many, "PolicyArns.member."+[]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}[i]+".arn", own)
		}
		f.refuse(t, "ValidationError: 1 validation error detected: The number of policy ARNs must not exceed 10.", role, many...)
	})
}

// TestAcrossAccounts: both sides have to agree, and both have a record of it. A
// refusal is the caller's account's business alone.
func TestAcrossAccounts(t *testing.T) {
	f := newFixture(t)
	var made *identity.Credentials
	if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) (err error) {
		made, err = f.identity.CreateAccount(t.Context(), tx, "others")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	plain := f.user(t, "plain", "")
	able := f.user(t, "able", policyOf(allow("", "sts:AssumeRole", "")))
	var role, closed string
	f.as(f.withKey(t, made.AccessKeyID), func() {
		role = f.role(t, "Shared", policyOf(allow(plain.ARN, "sts:AssumeRole", ""), allow(able.ARN, "sts:AssumeRole", "")))
		closed = f.role(t, "Closed", policyOf(allow(made.AccountID, "sts:AssumeRole", "")))
	})
	f.as(plain, func() {
		f.refuse(t, notAuthorized(plain, "AssumeRole", role, " because no identity-based policy allows the sts:AssumeRole action"), role)
	})
	if owed := f.owed(t); len(owed) != 0 {
		t.Errorf("a refusal is shared: %s", owed)
	}
	f.as(able, func() {
		if _, _, err := f.assume(t, closed); err == nil || !strings.HasPrefix(err.Error(), "AccessDenied: User: "+able.ARN+" is not authorized to perform: sts:AssumeRole") {
			t.Errorf("a role that trusts nobody of ours: %v", err)
		}
		who, _ := f.mustAssume(t, role)
		if who.AccountID != made.AccountID {
			t.Errorf("it is %+v", who)
		}
	})
	events := f.node.Events(t)
	mine := events[len(events)-1]
	owed := f.owed(t)
	if len(owed) != 1 {
		t.Fatalf("%d records are owed", len(owed))
	}
	theirs := owed[0]
	if mine.RecipientAccountID != f.root.AccountID || mine.UserIdentity.ARN != able.ARN || mine.SharedEventID == "" {
		t.Errorf("the caller's record is %+v", mine)
	}
	if theirs.RecipientAccountID != made.AccountID || theirs.SharedEventID != mine.SharedEventID || theirs.EventID == mine.EventID ||
		theirs.RequestID != mine.RequestID || theirs.UserIdentity.Type != "AWSAccount" || theirs.UserIdentity.AccountID != f.root.AccountID ||
		theirs.UserIdentity.PrincipalID != able.PrincipalID || theirs.UserIdentity.ARN != "" || theirs.UserIdentity.AccessKeyID != "" {
		t.Errorf("the owner's record is %+v", theirs)
	}
	if len(theirs.Resources) != 1 || theirs.Resources[0].ARN != role || theirs.Resources[0].AccountID != made.AccountID || theirs.Resources[0].Type != "AWS::IAM::Role" {
		t.Errorf("the resources are %+v", theirs.Resources)
	}
	response, err := json.Marshal(theirs.ResponseElements)
	if err != nil || !strings.Contains(string(response), `"arn":"arn:aws:sts::`+made.AccountID+`:assumed-role/Shared/s1"`) {
		t.Errorf("the response is %s, %v", response, err)
	}
}

// event is what the tests look at.
type event struct {
	RecipientAccountID string `json:"recipientAccountId"`
	SharedEventID      string `json:"sharedEventID"`
	EventID            string `json:"eventID"`
	RequestID          string `json:"requestID"`
	UserIdentity       struct{ Type, PrincipalID, AccountID, ARN, AccessKeyID string }
	Resources          []struct{ AccountID, Type, ARN string }
	ResponseElements   any
}

// owed are the records that the steward has to write.
func (f *fixture) owed(t *testing.T) (list []event) {
	t.Helper()
	if err := state.Announcements.Scan(f.node.View(), nil, nil, func(_ []string, a *state.Announcement) (bool, error) {
		var e event
		err := json.Unmarshal(a.Event, &e)
		list = append(list, e)
		return true, err
	}); err != nil {
		t.Fatal(err)
	}
	return list
}
