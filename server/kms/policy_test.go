package kms_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const allowAll = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}`

const malformed = "MalformedPolicyDocumentException: "

// lockedOut is the refusal of a policy by the lockout safety check.
const lockedOut = malformed + "The new key policy will not allow you to update the key policy in the future."

func TestPolicies(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	got := f.do("GetKeyPolicy", m{"KeyId": id})
	var document struct {
		Version, ID string
		Statement   []struct {
			Sid, Effect, Action, Resource string
			Principal                     struct{ AWS string }
		}
	}
	if err := json.Unmarshal([]byte(got.text("Policy")), &document); err != nil || got.text("PolicyName") != "default" {
		t.Fatalf("GetKeyPolicy answers %v, %v", got, err)
	}
	s := document.Statement[0]
	if document.Version != "2012-10-17" || document.ID != "key-default-1" || len(document.Statement) != 1 || s.Effect != "Allow" ||
		s.Sid != "Enable IAM User Permissions" || s.Action != "kms:*" || s.Resource != "*" || s.Principal.AWS != "arn:aws:iam::"+account+":root" {
		t.Errorf("the default policy is %s", got.text("Policy"))
	}
	if f.recorded(requestParameters) != `{"keyId":"`+id+`","policyName":"default"}` || f.event().ResponseElements != nil {
		t.Errorf("GetKeyPolicy records %+v", f.event())
	}
	text := "{ \"Statement\" : [{\"Sid\":\"é\\n\"," + allowAll[1:] + "] }\n"
	if got := f.do("PutKeyPolicy", m{"KeyId": id, "Policy": text, "BypassPolicyLockoutSafetyCheck": true}); got != nil {
		t.Errorf("PutKeyPolicy answers %v", got)
	}
	quoted, _ := json.Marshal(text)
	want := `{"bypassPolicyLockoutSafetyCheck":true,"keyId":"` + id + `","policy":` + string(quoted) + `,"policyName":"default"}`
	if f.recorded(requestParameters) != want || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("PutKeyPolicy records %s", f.recorded(requestParameters))
	}
	if got := f.do("GetKeyPolicy", m{"KeyId": id, "PolicyName": "default"}).text("Policy"); got != text {
		t.Errorf("the policy is %q", got)
	}
	created, _ := f.create(m{"Policy": text})
	if got := f.do("GetKeyPolicy", m{"KeyId": created}).text("Policy"); got != text {
		t.Errorf("the policy is %q", got)
	}
	if got := f.do("ListKeyPolicies", m{"KeyId": id}); got.list("PolicyNames")[0] != "default" || got["Truncated"] != false {
		t.Errorf("ListKeyPolicies answers %v", got)
	}
}

func TestPolicyRefusals(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	statement := `{"Statement":` + allowAll + `}`
	for _, text := range []string{"x", "{}", "[]", "null", `{"Statement":[]}`, `{"Statement":{}}`, `{"Statement":"x"}`,
		`{"Statement":["x"]}`, statement + "x", `{"Statement":null}`} {
		f.refuseStart("PutKeyPolicy", m{"KeyId": id, "Policy": text}, malformed+"Syntax errors in policy.")
	}
	const principals = "Policy contains a statement with one or more invalid principals."
	for _, change := range [][3]string{
		{`"Allow"`, `"Maybe"`, "Syntax errors in policy."}, {`"Effect":"Allow",`, ``, "Syntax errors in policy."},
		{`"Principal":"*",`, ``, "Missing required field Principal"}, {`"Action":"kms:*",`, ``, "Policy statement must contain actions."},
		{`,"Resource":"*"`, ``, "Policy statement must contain resources."},
		{`"Action"`, `"NotAction":"x:y","Action"`, "Syntax errors in policy."}, {`"Effect"`, `"Unknown":1,"Effect"`, "Syntax errors in policy."},
		{`"Statement"`, `"Unknown":1,"Statement"`, "Syntax errors in policy."},
		{`"Statement"`, `"Version":"2011-01-01","Statement"`, "Syntax errors in policy."},
		{`"Principal":"*"`, `"Principal":{"AWS":"alice"}`, principals},
		{`"Principal":"*"`, `"Principal":{"AWS":"999999999999"}`, principals}, // there is no such account
		{`"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::` + account + `:user/nobody"}`, principals},
		{`"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::` + account + `:role/nobody"}`, principals},
		{`"Principal":"*"`, `"Principal":{"AWS":"AIDAJQABLZS4A3QDU576Q"}`, principals},
	} {
		text := strings.Replace(statement, change[0], change[1], 1)
		f.refuseStart("PutKeyPolicy", m{"KeyId": id, "Policy": text}, malformed+change[2])
		f.refuseStart("PutKeyPolicy", m{"KeyId": id, "Policy": text, "BypassPolicyLockoutSafetyCheck": true}, malformed+change[2])
		f.refuseStart("CreateKey", m{"Policy": text}, malformed+change[2])
	}
	for _, change := range [][2]string{
		{`"Statement"`, `"Version":"2012-10-17","Id":"x","Statement"`}, {`"Principal":"*"`, `"Principal":{"AWS":"` + foreign + `"}`},
		{`"Principal":"*"`, `"Principal":{"AWS":"arn:aws:iam::` + account + `:user/admin"}`}, {`"Action"`, `"NotAction"`},
		{`"Allow"`, `"Deny"`}, {`"Effect"`, `"Condition":{"Bool":{"aws:SecureTransport":"true"}},"Effect"`},
		{`"kms:*"`, `"kms:Encrypt"`}, {`"Principal":"*"`, `"Principal":{"AWS":"` + account + `"}`},
	} {
		text := strings.Replace(statement, change[0], change[1], 1)
		if change[0] != `"Statement"` && !strings.Contains(change[1], account) { // these leave the caller no PutKeyPolicy
			f.refuse("PutKeyPolicy", m{"KeyId": id, "Policy": text}, lockedOut)
			f.refuse("CreateKey", m{"Policy": text}, lockedOut)
			f.do("PutKeyPolicy", m{"KeyId": id, "Policy": text, "BypassPolicyLockoutSafetyCheck": true})
			f.refuseStart("PutKeyPolicy", m{"KeyId": id, "Policy": statement}, "AccessDeniedException: ")
		} else {
			f.do("PutKeyPolicy", m{"KeyId": id, "Policy": text})
		}
		id, _ = f.create(m{})
	}
	large := statement[:1] + strings.Repeat(" ", 32768-len(statement)) + statement[1:]
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": large})
	f.refuse("PutKeyPolicy", m{"KeyId": id, "Policy": large + " "}, "LimitExceededException: The key policy must not be larger than 32768 bytes.")
	for _, operation := range []string{"PutKeyPolicy", "GetKeyPolicy"} {
		f.refuse(operation, m{"KeyId": id, "PolicyName": "other", "Policy": statement}, "NotFoundException: No such policy exists")
		f.refuse(operation, m{"KeyId": id, "PolicyName": "a-b", "Policy": statement}, "ValidationException: 1 validation error detected: "+
			`Value 'a-b' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]+`)
	}
	f.refuse("PutKeyPolicy", m{"KeyId": id, "Policy": "\u0100"}, "ValidationException: 1 validation error detected: Value '\u0100' at 'policy' "+
		`failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
}
