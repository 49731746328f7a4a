package kms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// user makes a user, and its account where there is none.
func (f *fixture) user(account, name string) *call.Principal {
	f.Helper()
	user := &state.User{AccountID: account, Name: name, Path: "/team/", ID: "AIDA" + strings.ToUpper(name) + account}
	f.write(func(tx *fsm.Txn) error {
		if err := state.Accounts.Put(tx, &state.Account{ID: account}, account); err != nil {
			return err
		}
		if err := state.Users.Put(tx, user, account, strings.ToLower(name)); err != nil {
			return err
		}
		identity := &state.Identity{AccountID: account, Kind: state.UserKind, Name: strings.ToLower(name)}
		return state.Identities.Put(tx, identity, user.ID)
	})
	return &call.Principal{
		Type: "IAMUser", AccountID: account, ARN: user.ARN(), PrincipalID: user.ID, UserName: name,
	}
}

// allow gives a user a policy of its own account that allows actions.
func (f *fixture) allow(who *call.Principal, actions ...string) {
	f.Helper()
	list, err := json.Marshal(actions)
	if err != nil {
		f.Fatal(err)
	}
	f.identityPolicy(who, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":`+string(list)+`,"Resource":"*"}}`)
}

// identityPolicy gives a user a policy, and takes away the one that it had.
func (f *fixture) identityPolicy(who *call.Principal, text string) {
	f.Helper()
	f.write(func(tx *fsm.Txn) error {
		p := &state.InlinePolicy{Name: "p", Text: text}
		return errors.Join(state.Directories.Put(tx, &state.Directory{}, who.AccountID),
			state.InlinePolicies.Put(tx, p, who.AccountID, who.PrincipalID, p.Name))
	})
}

// write commits a transaction that no operation makes.
func (f *fixture) write(run func(tx *fsm.Txn) error) {
	f.Helper()
	if _, err := f.node.Transact(f.Context(), f.account, run); err != nil {
		f.Fatal(err)
	}
}

// as lets somebody else call.
func (f *fixture) as(who *call.Principal, run func()) {
	f.Helper()
	account, caller := f.account, f.caller
	f.account, f.caller = who.AccountID, who
	run()
	f.account, f.caller = account, caller
}

// noIdentityPolicy is the refusal of a caller whose own policies do not allow what
// the key leaves to them.
func noIdentityPolicy(who *call.Principal, action, resource string) string {
	return "AccessDeniedException: User: " + who.ARN + " is not authorized to perform: kms:" + action + " on resource: " + resource +
		" because no identity-based policy allows the kms:" + action + " action"
}

// denied is the refusal of a caller of another account.
func denied(who *call.Principal, action string) string {
	return "AccessDeniedException: User: " + who.ARN + " is not authorized to perform: kms:" + action +
		" on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a " +
		"resource-based policy explicitly denies access"
}

// grant makes a grant of a key and answers its id and token.
func (f *fixture) grant(id string, to *call.Principal, more m, operations ...string) (grantID, token string) {
	f.Helper()
	request := m{"KeyId": id, "GranteePrincipal": to.ARN, "Operations": operations}
	for name, value := range more {
		request[name] = value
	}
	got := f.do("CreateGrant", request)
	return got.text("GrantId"), got.text("GrantToken")
}

func TestCreateGrant(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "Ann"), f.user(account, "bob")
	id, arn := f.create(m{})
	request := m{
		"KeyId": id, "GranteePrincipal": ann.ARN, "RetiringPrincipal": bob.ARN, "Name": "g/1",
		"Operations":  []string{"Decrypt", "DescribeKey", "Decrypt"},
		"Constraints": m{"EncryptionContextSubset": m{"Department": "IT"}},
	}
	got := f.do("CreateGrant", request)
	grantID, token := got.text("GrantId"), got.text("GrantToken")
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(grantID) || len(token) < 100 || len(got) != 2 {
		t.Fatalf("answers %v", got)
	}
	want := `{"constraints":{"encryptionContextSubset":{"Department":"IT"}},"granteePrincipal":"` + ann.ARN + `","keyId":"` + id +
		`","name":"g/1","operations":["Decrypt","DescribeKey","Decrypt"],"retiringPrincipal":"` + bob.ARN + `"}`
	if p := f.recorded(requestParameters); p != want {
		t.Errorf("parameters %s\nwant       %s", p, want)
	}
	if r := f.recorded(responseElements); r != `{"grantId":"`+grantID+`","keyId":"`+arn+`"}` {
		t.Errorf("elements %s", r)
	}
	if e := f.event(); e.ReadOnly || f.resources() != "AWS::KMS::Key "+arn {
		t.Errorf("records %+v", e)
	}
	entry := m{
		"KeyId": arn, "GrantId": grantID, "Name": "g/1", "CreationDate": 1786401507.123, "GranteePrincipal": ann.ARN,
		"RetiringPrincipal": bob.ARN, "IssuingAccount": "arn:aws:iam::" + account + ":root", "Operations": []any{"Decrypt", "DescribeKey"},
		"Constraints": m{"EncryptionContextSubset": m{"Department": "IT"}},
	}
	for _, filter := range []m{{}, {"GrantId": grantID}, {"GranteePrincipal": ann.ARN}} {
		filter["KeyId"] = arn
		list := f.do("ListGrants", filter)
		if fmt.Sprint(list["Grants"]) != fmt.Sprint([]any{entry}) || list["Truncated"] != false {
			t.Errorf("ListGrants %v answers %v\nwant %v", filter, list, entry)
		}
	}
	for _, filter := range []m{{"GrantId": strings.Repeat("0", 64)}, {"GranteePrincipal": bob.ARN}, {"GrantId": grantID, "GranteePrincipal": bob.ARN}} {
		filter["KeyId"] = id
		if list := f.do("ListGrants", filter).list("Grants"); len(list) != 0 {
			t.Errorf("ListGrants %v answers %v", filter, list)
		}
	}
	f.allow(bob, "kms:ListRetirableGrants")
	f.as(bob, func() {
		list := f.do("ListRetirableGrants", m{"RetiringPrincipal": bob.ARN})
		if fmt.Sprint(list["Grants"]) != fmt.Sprint([]any{entry}) {
			t.Errorf("ListRetirableGrants answers %v", list)
		}
	})
	for _, event := range f.node.RawEvents(t) {
		if strings.Contains(event, token) {
			t.Errorf("a record has a grant token: %s", event)
		}
	}
}

// TestGrantName: with the same name and the same parameters a request is taken
// for a repetition; without a name, or with anything else, it is not.
func TestGrantName(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user(foreign, "bob")
	id, _ := f.create(m{})
	first, token := f.grant(id, ann, m{"Name": "n"}, "Decrypt")
	again, other := f.grant(id, ann, m{"Name": "n"}, "Decrypt")
	if again != first || other == token {
		t.Errorf("a repetition is answered %s, %s after %s, %s", again, other, first, token)
	}
	f.now = f.now.AddDate(0, 0, 1)
	if again, _ = f.grant(id, ann, m{"Name": "n"}, "Decrypt"); again != first {
		t.Error("a day later it is another grant")
	}
	seen := map[string]bool{first: true}
	for name, made := range map[string]func() (string, string){
		"another name":      func() (string, string) { return f.grant(id, ann, m{"Name": "n2"}, "Decrypt") },
		"another operation": func() (string, string) { return f.grant(id, ann, m{"Name": "n"}, "Encrypt") },
		"another grantee":   func() (string, string) { return f.grant(id, bob, m{"Name": "n"}, "Decrypt") },
		"a retirer": func() (string, string) {
			return f.grant(id, ann, m{"Name": "n", "RetiringPrincipal": bob.ARN}, "Decrypt")
		},
		"no name":           func() (string, string) { return f.grant(id, ann, nil, "Decrypt") },
		"no name once more": func() (string, string) { return f.grant(id, ann, nil, "Decrypt") },
		"another constraint": func() (string, string) {
			return f.grant(id, ann, m{"Name": "n", "Constraints": equals("a", "b")}, "Decrypt")
		},
	} {
		if made, _ := made(); seen[made] {
			t.Errorf("%s: the same grant", name)
		} else {
			seen[made] = true
		}
	}
	f.do("RevokeGrant", m{"KeyId": id, "GrantId": first})
	if again, _ = f.grant(id, ann, m{"Name": "n"}, "Decrypt"); seen[again] {
		t.Error("a revoked grant is answered")
	}
	otherKey, _ := f.create(m{})
	if again, _ = f.grant(otherKey, ann, m{"Name": "n"}, "Decrypt"); seen[again] {
		t.Error("the grant of another key is answered")
	}
}

func equals(pairs ...string) m { return m{"EncryptionContextEquals": contextOf(pairs...)} }
func subset(pairs ...string) m { return m{"EncryptionContextSubset": contextOf(pairs...)} }

func contextOf(pairs ...string) m {
	context := m{}
	for i := 0; i < len(pairs); i += 2 {
		context[pairs[i]] = pairs[i+1]
	}
	return context
}

// TestGrantedOperations lets a user of another account do what a grant allows,
// and nothing else.
func TestGrantedOperations(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	id, arn := f.create(m{})
	other, otherARN := f.create(m{})
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
	blob := f.encrypt(id, "secret", nil)
	calls := map[string]m{
		"Encrypt": {"KeyId": arn, "Plaintext": []byte("x")}, "Decrypt": {"CiphertextBlob": blob, "KeyId": arn},
		"GenerateDataKey":                 {"KeyId": arn, "KeySpec": "AES_256"},
		"GenerateDataKeyWithoutPlaintext": {"KeyId": aliasARN("alias/a"), "KeySpec": "AES_256"},
		"DescribeKey":                     {"KeyId": arn},
	}
	for granted := range calls {
		grantID, token := f.grant(id, ann, nil, granted)
		f.as(ann, func() {
			for operation, request := range calls {
				if operation == granted {
					f.do(operation, request)
					request["GrantTokens"] = []string{token}
					f.do(operation, request)
					if e := f.event(); e.RecipientAccountID != foreign || f.resources() != "AWS::KMS::Key "+arn {
						t.Errorf("%s records %+v", operation, e)
					}
					continue
				}
				f.refuse(operation, request, denied(ann, operation))
			}
			f.refuse("DescribeKey", m{"KeyId": otherARN}, denied(ann, "DescribeKey"))
			f.refuse("DescribeKey", m{"KeyId": aliasARN("alias/none")}, denied(ann, "DescribeKey"))
			f.refuse("ListGrants", m{"KeyId": arn}, denied(ann, "ListGrants"))
			f.refuse("RevokeGrant", m{"KeyId": arn, "GrantId": grantID}, denied(ann, "RevokeGrant"))
			f.refuse("DisableKey", m{"KeyId": arn}, denied(ann, "DisableKey"))
		})
		f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID})
		f.as(ann, func() { f.refuse(granted, calls[granted], denied(ann, granted)) })
	}

	f.as(ann, func() {
		f.refuse("Decrypt", m{"CiphertextBlob": blob}, "AccessDeniedException: The ciphertext refers to a customer master key that "+
			"does not exist, does not exist in this region, or you are not allowed to access.")
	})
	f.grant(id, ann, nil, "Decrypt", "ReEncryptFrom")
	f.as(ann, func() {
		if got := f.do("Decrypt", m{"CiphertextBlob": blob}); string(got.bytes("Plaintext")) != "secret" {
			t.Errorf("Decrypt answers %v", got)
		}
		f.refuse("ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": otherARN}, denied(ann, "ReEncryptTo"))
	})
	f.grant(other, ann, nil, "ReEncryptTo")
	f.as(ann, func() { f.do("ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": otherARN}) })
	f.do("DisableKey", m{"KeyId": other})
	f.as(ann, func() {
		f.refuse("ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": otherARN}, "DisabledException: "+otherARN+" is disabled.")
	})
}

// TestGrantees: a grant is of one user, who is recognized by its unique id, or of
// an account, which lets its users use it.
func TestGrantees(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user(foreign, "bob")
	id, arn := f.create(m{})
	grantID, _ := f.grant(id, ann, nil, "DescribeKey")
	describe := m{"KeyId": arn}
	f.as(ann, func() { f.do("DescribeKey", describe) })
	f.as(bob, func() { f.refuse("DescribeKey", describe, denied(bob, "DescribeKey")) })
	namesake := *ann
	namesake.PrincipalID = "AIDANEW"
	f.as(&namesake, func() { f.refuse("DescribeKey", describe, denied(ann, "DescribeKey")) })
	f.write(func(tx *fsm.Txn) error { state.Identities.Delete(tx, ann.PrincipalID); return nil })
	if got := f.do("ListGrants", m{"KeyId": id}).list("Grants"); got[0].(map[string]any)["GranteePrincipal"] != ann.PrincipalID {
		t.Errorf("a deleted grantee is listed as %v", got)
	}
	f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID})

	for _, root := range []string{foreign, "arn:aws:iam::" + foreign + ":root"} {
		grantID, _ := f.grant(id, &call.Principal{ARN: root}, nil, "DescribeKey")
		f.as(bob, func() {
			f.refuse("DescribeKey", describe, noIdentityPolicy(bob, "DescribeKey", arn))
		})
		f.allow(bob, "kms:DescribeKey")
		f.as(bob, func() { f.do("DescribeKey", describe) })
		list := f.do("ListGrants", m{"KeyId": id, "GranteePrincipal": foreign}).list("Grants")
		if len(list) != 1 || list[0].(map[string]any)["GranteePrincipal"] != "arn:aws:iam::"+foreign+":root" {
			t.Errorf("%s is listed as %v", root, list)
		}
		f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID})
		f.as(bob, func() { f.refuse("DescribeKey", describe, denied(bob, "DescribeKey")) })
		f.allow(bob, "kms:List*")
	}
}

// TestGrantsOfRoles: a grant of a role is of all of its sessions, one of a
// session of that one alone.
func TestGrantsOfRoles(t *testing.T) {
	f := newFixture(t)
	f.user(foreign, "ann") // for the account
	f.write(func(tx *fsm.Txn) error {
		role := &state.Role{AccountID: foreign, Name: "Role", Path: "/p/", ID: "AROAROLE"}
		identity := &state.Identity{AccountID: foreign, Kind: state.RoleKind, Name: "role"}
		if err := state.Identities.Put(tx, identity, role.ID); err != nil {
			return err
		}
		return state.Roles.Put(tx, role, foreign, "role")
	})
	session := func(name string) *call.Principal {
		return &call.Principal{
			Type: "AssumedRole", AccountID: foreign, ARN: "arn:aws:sts::" + foreign + ":assumed-role/Role/" + name,
			PrincipalID: "AROAROLE:" + name, Session: &call.Session{Name: name, Issuer: call.Issuer{ID: "AROAROLE"}},
		}
	}
	one, two, role := session("one"), session("two"), &call.Principal{ARN: "arn:aws:iam::" + foreign + ":role/p/Role"}
	id, arn := f.create(m{})
	for _, test := range []struct {
		to       *call.Principal
		one, two bool
	}{{role, true, true}, {one, true, false}, {two, false, true}} {
		grantID, _ := f.grant(id, test.to, nil, "DescribeKey")
		for who, allowed := range map[*call.Principal]bool{one: test.one, two: test.two} {
			f.as(who, func() {
				if allowed {
					f.do("DescribeKey", m{"KeyId": arn})
				} else {
					f.refuse("DescribeKey", m{"KeyId": arn}, denied(who, "DescribeKey"))
				}
			})
		}
		if list := f.do("ListGrants", m{"KeyId": id}).list("Grants"); list[0].(map[string]any)["GranteePrincipal"] != test.to.ARN {
			t.Errorf("%s is listed as %v", test.to.ARN, list)
		}
		f.do("RevokeGrant", m{"KeyId": id, "GrantId": grantID})
	}
}

// TestGrantConstraints holds encryption contexts against constraints.
func TestGrantConstraints(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	for _, test := range []struct {
		constraint m
		context    m
		allowed    bool
	}{
		{equals("a", "1"), contextOf("a", "1"), true},
		{equals("a", "1"), contextOf("A", "1"), true}, // the key's case does not matter
		{equals("a", "x"), contextOf("a", "X"), false},
		{equals("a", "1"), contextOf("a", "1", "b", "2"), false},
		{equals("a", "1", "b", "2"), contextOf("b", "2", "a", "1"), true},
		{equals("a", "1", "b", "2"), contextOf("a", "1"), false},
		{equals("a", "1"), nil, false},
		{subset("a", "1"), contextOf("a", "1"), true},
		{subset("a", "1"), contextOf("x", "y", "A", "1"), true},
		{subset("a", "1", "b", "2"), contextOf("a", "1", "b", "2", "c", "3"), true},
		{subset("a", "1", "b", "2"), contextOf("a", "1", "c", "3"), false},
		{subset("a", "1"), contextOf("a", "2"), false},
		{subset("a", "1"), nil, false},
		{m{"SourceArn": "arn:aws:s3:::bucket"}, nil, false}, // nobody calls on behalf of it
		{m{}, contextOf("any", "thing"), true},
	} {
		id, arn := f.create(m{})
		f.grant(id, ann, m{"Constraints": test.constraint}, "Encrypt", "DescribeKey")
		f.as(ann, func() {
			request := m{"KeyId": arn, "Plaintext": []byte("x"), "EncryptionContext": test.context}
			if test.allowed {
				f.do("Encrypt", request)
			} else {
				f.refuse("Encrypt", request, denied(ann, "Encrypt"))
			}
			if test.constraint["SourceArn"] == nil {
				f.do("DescribeKey", m{"KeyId": arn}) // constraints of contexts do not matter to it
			} else {
				f.refuse("DescribeKey", m{"KeyId": arn}, denied(ann, "DescribeKey"))
			}
		})
	}
	// Each side of ReEncrypt by its own context.
	from, _ := f.create(m{})
	to, toARN := f.create(m{})
	f.grant(from, ann, m{"Constraints": equals("side", "from")}, "ReEncryptFrom")
	f.grant(to, ann, m{"Constraints": equals("side", "to")}, "ReEncryptTo")
	request := m{
		"CiphertextBlob": f.encrypt(from, "x", m{"side": "from"}), "DestinationKeyId": toARN,
		"SourceEncryptionContext": m{"side": "from"}, "DestinationEncryptionContext": m{"side": "to"},
	}
	f.as(ann, func() {
		f.do("ReEncrypt", request)
		request["DestinationEncryptionContext"] = m{"side": "from"}
		f.refuse("ReEncrypt", request, denied(ann, "ReEncryptTo"))
	})
}

// changed is a request to let somebody decrypt, with members changed.
func changed(id string, to *call.Principal, change m) m {
	request := m{"KeyId": id, "GranteePrincipal": to.ARN, "Operations": []string{"Decrypt"}}
	for name, value := range change {
		request[name] = value
	}
	return request
}

func TestCreateGrantRefusals(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	id, arn := f.create(m{})
	sign, signARN := f.create(m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})
	mac, macARN := f.create(m{})
	f.edit(mac, func(k *state.Key) { k.Spec, k.Usage = "HMAC_256", "GENERATE_VERIFY_MAC" })
	either := "ValidationException: You must specify either GranteePrincipal or GranteeServicePrincipal, but not both."
	nobody := func(arn string) string { return "InvalidArnException: ARN does not refer to a valid principal: " + arn }
	nine := m{}
	for i := range 9 {
		nine[fmt.Sprint(i)] = ""
	}
	for _, test := range []struct {
		change m
		want   string
	}{
		{m{"GranteePrincipal": nil}, either},
		{m{"GranteeServicePrincipal": "ec2.amazonaws.com"}, either},
		{m{"RetiringPrincipal": ann.ARN, "RetiringServicePrincipal": "ec2.amazonaws.com"},
			"ValidationException: You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both."},
		{m{"GranteePrincipal": nil, "GranteeServicePrincipal": "ec2.amazonaws.com"},
			"ValidationException: A grant with a GranteeServicePrincipal must have a SourceArn constraint."},
		{m{"GranteePrincipal": nil, "GranteeServicePrincipal": "ec2.amazonaws.com", "Constraints": m{"SourceArn": "arn:aws:s3:::b"}},
			"ValidationException: A grant with a GranteeServicePrincipal must have a RetiringPrincipal or a RetiringServicePrincipal."},
		{m{"Operations": []string{}}, "ValidationException: A grant must allow at least one operation."},
		{m{"Operations": []string{"CreateGrant"}}, "ValidationException: Grants must not contain only the CreateGrant operation."},
		{m{"Operations": []string{"Decrypt", "Sign"}}, "ValidationException: The operation Sign is not valid for a grant of " + arn +
			": its key spec is SYMMETRIC_DEFAULT and its key usage is ENCRYPT_DECRYPT."},
		{m{"Operations": []string{"GetPublicKey"}}, "ValidationException: The operation GetPublicKey is not valid for a grant of " + arn +
			": its key spec is SYMMETRIC_DEFAULT and its key usage is ENCRYPT_DECRYPT."},
		{m{"KeyId": sign}, "ValidationException: The operation Decrypt is not valid for a grant of " + signARN +
			": its key spec is ECC_NIST_P256 and its key usage is SIGN_VERIFY."},
		{m{"KeyId": mac, "Operations": []string{"GenerateMac"}, "Constraints": equals("a", "1")},
			"ValidationException: Encryption context constraints are valid only for grants of symmetric encryption keys; " +
				"the key spec of " + macARN + " is HMAC_256."},
		{m{"GranteePrincipal": "arn:aws:iam::" + foreign + ":user/team/nobody"}, nobody("arn:aws:iam::" + foreign + ":user/team/nobody")},
		{m{"GranteePrincipal": "arn:aws:iam::" + foreign + ":user/ann"}, nobody("arn:aws:iam::" + foreign + ":user/ann")},
		{m{"GranteePrincipal": "arn:aws:iam::" + foreign + ":user/team/Ann"}, nobody("arn:aws:iam::" + foreign + ":user/team/Ann")},
		{m{"GranteePrincipal": "arn:aws:iam::" + foreign + ":role/r"}, nobody("arn:aws:iam::" + foreign + ":role/r")},
		{m{"GranteePrincipal": "arn:aws:iam::" + foreign + ":group/g"}, nobody("arn:aws:iam::" + foreign + ":group/g")},
		{m{"GranteePrincipal": "arn:aws:iam::999999999999:root"}, nobody("arn:aws:iam::999999999999:root")},
		{m{"GranteePrincipal": "ec2.amazonaws.com"}, nobody("ec2.amazonaws.com")},
		{m{"RetiringPrincipal": "x"}, nobody("x")},
		{m{"Constraints": m{"EncryptionContextEquals": m{}}}, "ValidationException: An encryption context constraint must have at least one pair."},
		{m{"Constraints": m{"EncryptionContextSubset": nine}}, "ValidationException: An encryption context constraint must not have more than 8 pairs."},
		{m{"Constraints": equals("a", strings.Repeat("é", 385))},
			"ValidationException: A value of an encryption context constraint must not be longer than 384 characters."},
		{m{"Constraints": m{"SourceArn": "bucket"}}, "ValidationException: The SourceArn constraint is not an ARN."},
		{m{"GrantTokens": []string{"x"}}, "InvalidGrantTokenException: The grant token is not valid."},
		{m{"KeyId": "alias/a"}, "NotFoundException: Invalid keyId 'alias/a'"},
		{m{"KeyId": absent}, "NotFoundException: Key '" + keyARN(absent) + "' does not exist"},
	} {
		f.refuse("CreateGrant", changed(id, ann, test.change), test.want)
	}
}

// TestGrantsOfEveryKind makes the grants that are just right.
func TestGrantsOfEveryKind(t *testing.T) {
	f := newFixture(t)
	ann := f.user(foreign, "ann")
	id, _ := f.create(m{})
	sign, _ := f.create(m{})
	f.edit(sign, func(k *state.Key) { k.Spec, k.Usage = "ECC_NIST_P256", "SIGN_VERIFY" })
	mac, _ := f.create(m{})
	f.edit(mac, func(k *state.Key) { k.Spec, k.Usage = "HMAC_256", "GENERATE_VERIFY_MAC" })
	f.do("CreateGrant", changed(id, ann, m{"Constraints": equals("a", strings.Repeat("é", 384))}))
	f.do("CreateGrant", changed(id, ann, m{
		"GranteePrincipal": nil, "GranteeServicePrincipal": "ec2.amazonaws.com", "RetiringServicePrincipal": "ec2.amazonaws.com",
		"Constraints": m{"SourceArn": "arn:aws:s3:::b"}}))
	f.do("CreateGrant", changed(id, ann, m{"KeyId": sign, "Operations": []string{"Sign", "Verify", "GetPublicKey", "CreateGrant"}}))
	f.do("CreateGrant", changed(id, ann, m{"KeyId": mac, "Operations": []string{"GenerateMac", "VerifyMac", "RetireGrant"},
		"Constraints": m{"SourceArn": "arn:aws:s3:::b"}}))
	list, err := json.Marshal(f.do("ListGrants", m{"KeyId": id})["Grants"])
	if err != nil || strings.Count(string(list), `"GrantId"`) != 2 || !strings.Contains(string(list), `"GranteeServicePrincipal":"ec2.amazonaws.com"`) ||
		!strings.Contains(string(list), `"RetiringServicePrincipal":"ec2.amazonaws.com"`) {
		t.Errorf("the grants are %s, %v", list, err)
	}
}
