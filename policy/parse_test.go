package policy

import (
	"errors"
	"strings"
	"testing"
)

// TestMalformed has what AWS refuses, and what it says.
func TestMalformed(t *testing.T) {
	const who = `"Principal":{"AWS":"111122223333"},`
	for _, test := range []struct {
		kind     Kind
		document string
		want     string
	}{
		// The document.
		{KeyPolicy, ``, wrongSyntax},
		{KeyPolicy, `This is not a json document`, wrongSyntax},
		{KeyPolicy, `[]`, wrongSyntax},
		{KeyPolicy, `null`, wrongSyntax},
		{KeyPolicy, `{}`, wrongSyntax},
		{KeyPolicy, "{\"Statement\":\"\xff\"}", wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},"Statement":[]}`, wrongSyntax},
		{IdentityPolicy, `{"statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Extra":1,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Version":2012,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Id":7,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":[]}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":"Allow"}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":["Allow"]}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, wrongSyntax},
		// Statements.
		{IdentityPolicy, `{"Statement":{"Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":true,"Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Else":1}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Sid":1,"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSid},
		{IdentityPolicy, `{"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},` +
			`{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]}`, repeatedSid},
		// Actions.
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Resource":"*"}}`, noActions},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`, noActions},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":7,"Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":[7],"Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"Encrypt","Resource":"*"}}`, noVendor},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"a:b:c","Resource":"*"}}`, manyColons},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"k_s:Encrypt","Resource":"*"}}`, "Vendor k_s is not valid"},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":":Encrypt","Resource":"*"}}`, "Vendor  is not valid"},
		// Resources.
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*"}}`, noResources},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":[]}}`, noResources},
		{KeyPolicy, `{"Statement":{` + who + `"Effect":"Allow","Action":"*"}}`, noResources},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":{}}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}}`, wrongSyntax},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":""}}`, `Resource  must be in ARN format or "*".`},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"key/k1"}}`,
			`Resource key/k1 must be in ARN format or "*".`},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:*"}}`,
			`Resource arn:aws:kms:* must be in ARN format or "*".`},
		{IdentityPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:moon:kms:x:1:key/k"}}`,
			`Partition "moon" is not valid for resource "arn:moon:kms:x:1:key/k".`},
		// Principals.
		{IdentityPolicy, `{"Statement":{` + who + `"Effect":"Allow","Action":"*","Resource":"*"}}`, principalInside},
		{Boundary, `{"Statement":{` + who + `"Effect":"Allow","Action":"*","Resource":"*"}}`, principalInside},
		{SessionPolicy, `{"Statement":{"NotPrincipal":"*","Effect":"Deny","Action":"*","Resource":"*"}}`, principalInside},
		{KeyPolicy, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, missingPrincipal},
		{TrustPolicy, `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`, missingPrincipal},
		{KeyPolicy, keyFor(`"alice"`), invalidPrincipals},
		{KeyPolicy, keyFor(`{}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":[]}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":""}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"11112222333"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"alice"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":7}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"Moon":"111122223333"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"CanonicalUser":"79a59d"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"Federated":"cognito-identity.amazonaws.com"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:iam::111122223333:user/*"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:iam::*:root"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:iam::111122223333:group/ops"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:iam::111122223333:user/"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:s3:::bucket"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"AWS":["111122223333","arn:aws:sts::111122223333:assumed-role/Web"]}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"Service":"cloudtrail"}`), invalidPrincipals},
		{KeyPolicy, keyFor(`{"Service":"*"}`), invalidPrincipals},
		{KeyPolicy, `{"Statement":{"NotPrincipal":"*",` + who + `"Effect":"Deny","Action":"*","Resource":"*"}}`, wrongSyntax},
		{KeyPolicy, `{"Statement":{"NotPrincipal":{"AWS":"111122223333"},"Effect":"Allow","Action":"*","Resource":"*"}}`, wrongSyntax},
		{TrustPolicy, `{"Statement":{"Principal":{"AWS":"alice"},"Effect":"Allow","Action":"sts:AssumeRole"}}`,
			`Invalid principal in policy: "AWS":"alice"`},
		// Trust policies.
		{TrustPolicy, `{"Statement":{` + who + `"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`, prohibitsResource},
		{TrustPolicy, `{"Statement":{` + who + `"Effect":"Allow","Action":"kms:Encrypt"}}`, onlyAssume},
		{TrustPolicy, `{"Statement":{` + who + `"Effect":"Allow","Action":"*"}}`, onlyAssume},
		// Conditions.
		{IdentityPolicy, conditioned(`[]`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"StringEqual":{"a:b":"c"}}`), "Invalid Condition type : StringEqual."},
		{IdentityPolicy, conditioned(`{"stringequals":{"a:b":"c"}}`), "Invalid Condition type : stringequals."},
		{IdentityPolicy, conditioned(`{"NullIfExists":{"a:b":"true"}}`), "Invalid Condition type : NullIfExists."},
		{IdentityPolicy, conditioned(`{"ForAnyValue:Null":{"a:b":"true"}}`), "Invalid Condition type : ForAnyValue:Null."},
		{IdentityPolicy, conditioned(`{"ForSome:StringEquals":{"a:b":"c"}}`), "Invalid Condition type : ForSome:StringEquals."},
		{IdentityPolicy, conditioned(`{"NumericLike":{"a:b":"1"}}`), "Invalid Condition type : NumericLike."},
		{IdentityPolicy, conditioned(`{"StringEquals":"x"}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"StringEquals":{"nocolon":"x"}}`), noVendor},
		{IdentityPolicy, conditioned(`{"StringEquals":{"a:b":"x","A:B":"y"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"StringEquals":{"a:b":null}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"StringEquals":{"a:b":{}}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"StringEquals":{"a:b":[["c"]]}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"NumericEquals":{"a:b":"seven"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"NumericEquals":{"a:b":"1e999"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"NumericEquals":{"a:b":"${a:c}"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"DateEquals":{"a:b":"yesterday"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"Bool":{"a:b":"maybe"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"Null":{"a:b":"maybe"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"IpAddress":{"a:b":"203.0.113.300"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"IpAddress":{"a:b":"203.0.113.0/33"}}`), wrongSyntax},
		{IdentityPolicy, conditioned(`{"BinaryEquals":{"a:b":"***"}}`), wrongSyntax},
		{KeyPolicy, conditioned(`{"ForAllValues:StringEquals":{"kms:EncryptionContext:a":"b"}}`), wrongSyntax},
	} {
		_, err := Parse(test.kind, test.document)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Message != test.want {
			t.Errorf("%s %s\n  got:  %v\n  want: %s", test.kind, test.document, err, test.want)
		}
	}
}

func keyFor(principal string) string {
	return `{"Statement":{"Principal":` + principal + `,"Effect":"Allow","Action":"*","Resource":"*"}}`
}

func conditioned(condition string) string {
	return `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}}`
}

// TestWellFormed has what AWS takes, beside the documents of the cases.
func TestWellFormed(t *testing.T) {
	for _, test := range []struct {
		kind     Kind
		document string
	}{
		{KeyPolicy, keyFor(`"*"`)},
		{KeyPolicy, keyFor(`{"AWS":["*"]}`)},
		{KeyPolicy, keyFor(`{"AWS":["111122223333","arn:aws-cn:iam::111122223333:root","arn:aws:iam::111122223333:user/a/b/c+=,.@_-x"]}`)},
		{KeyPolicy, keyFor(`{"AWS":"arn:aws:sts::111122223333:federated-user/bob"}`)},
		{KeyPolicy, keyFor(`{"AWS":"AIDAJQABLZS4A3QDU576Q"}`)},
		{KeyPolicy, keyFor(`{"Service":["logs.eu-west-1.amazonaws.com","cloudtrail.amazonaws.com"],"AWS":"111122223333"}`)},
		{KeyPolicy, `{"Statement":[{"Sid":"same","Principal":"*","Effect":"Allow","Action":"*","Resource":"*"},` +
			`{"Sid":"same","Principal":"*","Effect":"Allow","Action":"*","Resource":"*"}]}`},
		{TrustPolicy, `{"Statement":{"Principal":{"Federated":["cognito-identity.amazonaws.com"]},"Effect":"Allow",` +
			`"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"]}}`},
		{IdentityPolicy, `{"Version":"2012-10-17","Id":"","Statement":[{"Sid":"","Effect":"Deny","NotAction":["kms:*"],` +
			`"NotResource":["arn:aws:s3:::${aws:username}/*"]}]}`},
		{IdentityPolicy, conditioned(`{"StringEquals":{"a:b":["x",1,true]},"DateLessThan":{"a:b":1767225600},"Bool":{"a:b":false}}`)},
		{Boundary, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`},
	} {
		d, err := Parse(test.kind, test.document)
		if err != nil {
			t.Errorf("%s %s: %v", test.kind, test.document, err)
			continue
		}
		again, err := Parse(test.kind, d.String())
		if err != nil || again.String() != d.String() {
			t.Errorf("%s %s\n  printed: %s\n  again:   %s, %v", test.kind, test.document, d, again, err)
		}
	}
}

func TestPrincipalsAreKnownByID(t *testing.T) {
	const alice = "arn:aws:iam::111122223333:user/alice"
	d, err := Parse(KeyPolicy, keyFor(`{"AWS":["`+alice+`","111122223333","`+alice+`","AIDAJQABLZS4A3QDU576Q"],"Service":"s3.amazonaws.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.Principals(), " "); got != alice+" AIDAJQABLZS4A3QDU576Q" {
		t.Errorf("the document names %s", got)
	}
	names := func(d *Document, id string) Reach {
		r := &Request{Principal: &Principal{Account: "444455556666", ARN: alice, ID: id}, Action: "kms:Encrypt"}
		return d.statements[0].principals.names(&evaluation{request: r, meter: meter{left: MaxSteps}})
	}
	if got := names(d, "AIDA1"); got != ByName {
		t.Errorf("without ids, ARNs count: %v", got)
	}
	bound := d.Bind(map[string]string{alice: "AIDA1"})
	if got := names(bound, "AIDA1"); got != ByName {
		t.Errorf("the user itself is named %v", got)
	}
	if got := names(bound, "AIDA2"); got != Unnamed {
		t.Errorf("its successor is named %v", got)
	}
	if got := names(bound, "AIDAJQABLZS4A3QDU576Q"); got != Unnamed {
		t.Errorf("one that is no more is named %v", got)
	}
	if got := names(d, "AIDA2"); got != ByName {
		t.Errorf("binding has changed the document itself: %v", got)
	}
}

func TestMessages(t *testing.T) {
	const alice = "arn:aws:iam::111122223333:user/alice"
	const key = "arn:aws:kms:eu-west-1:111122223333:key/k1"
	r := &Request{Principal: &Principal{ARN: alice}, Action: "kms:Encrypt", Resource: key}
	const start = "User: " + alice + " is not authorized to perform: kms:Encrypt on "
	for _, test := range []struct {
		decision Decision
		want     string
	}{
		{Decision{By: ByIdentity}, start + "resource: " + key + " because no identity-based policy allows the kms:Encrypt action"},
		{Decision{By: ByResource}, start + "resource: " + key + " because no resource-based policy allows the kms:Encrypt action"},
		{Decision{By: ByBoundary}, start + "resource: " + key + " because no permissions boundary allows the kms:Encrypt action"},
		{Decision{By: BySession}, start + "resource: " + key + " because no session policy allows the kms:Encrypt action"},
		{Decision{Outcome: ExplicitDeny, By: ByIdentity}, start + "resource: " + key + " with an explicit deny in an identity-based policy"},
		{Decision{Outcome: ExplicitDeny, By: ByResource}, start + "resource: " + key + " with an explicit deny in a resource-based policy"},
		{Decision{Outcome: ExplicitDeny, By: BySession}, start + "resource: " + key + " with an explicit deny in a session policy"},
		{Decision{By: ByResource, Foreign: true}, start + "this resource because the resource does not exist in this Region, " +
			"no resource-based policies allow access, or a resource-based policy explicitly denies access"},
	} {
		if got := test.decision.Message(r); got != test.want {
			t.Errorf("%+v\n  got:  %s\n  want: %s", test.decision, got, test.want)
		}
	}
}
