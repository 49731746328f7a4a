package kms_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAliases(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	other, otherARN := f.create(m{})
	name := "alias/A_b-c/1"
	if got := f.do("CreateAlias", m{"AliasName": name, "TargetKeyId": id}); got != nil {
		t.Errorf("CreateAlias answers %v", got)
	}
	resources := "AWS::KMS::Key " + arn + "\nAWS::KMS::Key " + aliasARN(name)
	if f.recorded(requestParameters) != `{"aliasName":"`+name+`","targetKeyId":"`+id+`"}` ||
		f.recorded(responseElements) != `{"keyId":"`+arn+`"}` || f.resources() != resources {
		t.Errorf("CreateAlias records %+v", f.event())
	}
	f.refuse("CreateAlias", m{"AliasName": name, "TargetKeyId": other},
		"AlreadyExistsException: An alias with the name "+aliasARN(name)+" already exists")
	want := m{"AliasName": name, "AliasArn": aliasARN(name), "TargetKeyId": id, "CreationDate": 1786401507.123, "LastUpdatedDate": 1786401507.123}
	for _, request := range []m{{}, {"KeyId": id}, {"KeyId": arn}} {
		if got := f.do("ListAliases", request); fmt.Sprint(got["Aliases"]) != fmt.Sprint([]any{want}) || got["Truncated"] != false {
			t.Errorf("ListAliases %v answers %v", request, got)
		}
	}
	f.do("ListAliases", m{"Limit": 5})
	if r := f.event().Resources; f.recorded(requestParameters) != `{"limit":5}` || r == nil || len(r) != 0 {
		t.Errorf("ListAliases records %+v", f.event())
	}
	f.now = f.now.AddDate(0, 0, 1)
	f.do("UpdateAlias", m{"AliasName": name, "TargetKeyId": otherARN})
	if f.recorded(responseElements) != `{"keyId":"`+otherARN+`"}` {
		t.Errorf("UpdateAlias records %+v", f.event())
	}
	want["TargetKeyId"], want["LastUpdatedDate"] = other, 1786401507.123+86400
	if got := f.do("ListAliases", m{"KeyId": other})["Aliases"]; fmt.Sprint(got) != fmt.Sprint([]any{want}) {
		t.Errorf("ListAliases answers %v", got)
	}
	if got := f.do("ListAliases", m{"KeyId": id}).list("Aliases"); len(got) != 0 {
		t.Errorf("ListAliases answers %v", got)
	}
	f.do("UpdateAlias", m{"AliasName": name, "TargetKeyId": other}) // where it points already
	if got := f.do("DescribeKey", m{"KeyId": name}).object("KeyMetadata").text("KeyId"); got != other {
		t.Errorf("the alias names %s", got)
	}
	f.do("DeleteAlias", m{"AliasName": name})
	if f.recorded(requestParameters) != `{"aliasName":"`+name+`"}` || f.resources() !=
		"AWS::KMS::Key "+otherARN+"\nAWS::KMS::Key "+aliasARN(name) {
		t.Errorf("DeleteAlias records %+v", f.event())
	}
	missing := "NotFoundException: Alias " + aliasARN(name) + " is not found."
	f.refuse("DeleteAlias", m{"AliasName": name}, missing)
	f.refuse("UpdateAlias", m{"AliasName": name, "TargetKeyId": id}, missing)
	f.refuse("DescribeKey", m{"KeyId": name}, missing)
}

func TestAliasNames(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
	const prefix = `ValidationException: Alias must start with the prefix "alias/". Please see ` +
		"https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
	long := "alias/" + strings.Repeat("x", 251)
	for name, want := range map[string]string{
		"a": prefix, "alias": prefix, "Alias/a": prefix,
		"alias/":         "ValidationException: alias/ contains invalid characters for an alias",
		"alias/my:alias": "ValidationException: alias/my:alias contains invalid characters for an alias",
		"alias/aws/":     "NotAuthorizedException", "alias/aws/s3": "NotAuthorizedException",
		"alias/a b": "ValidationException: 1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: " +
			"Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
		long: "ValidationException: 1 validation error detected: Value '" + long + "' at 'aliasName' failed to satisfy constraint: " +
			"Member must have length less than or equal to 256",
	} {
		f.refuse("CreateAlias", m{"AliasName": name, "TargetKeyId": id}, want)
		f.refuse("UpdateAlias", m{"AliasName": name, "TargetKeyId": id}, want)
		f.refuse("DeleteAlias", m{"AliasName": name}, want)
	}
	for _, target := range []string{"alias/a", aliasARN("alias/a")} {
		f.refuse("CreateAlias", m{"AliasName": "alias/b", "TargetKeyId": target}, "ValidationException: Aliases must refer to keys. Not aliases")
	}
	f.refuse("CreateAlias", m{"AliasName": "alias/b", "TargetKeyId": absent}, "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
}

func TestAliasQuota(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	other, _ := f.create(m{})
	for i := range 50 {
		f.do("CreateAlias", m{"AliasName": fmt.Sprintf("alias/%d", i), "TargetKeyId": id})
	}
	f.do("CreateAlias", m{"AliasName": "alias/other", "TargetKeyId": other})
	const limit = "LimitExceededException: A KMS key cannot have more than 50 aliases."
	f.refuse("CreateAlias", m{"AliasName": "alias/more", "TargetKeyId": id}, limit)
	f.refuse("UpdateAlias", m{"AliasName": "alias/other", "TargetKeyId": id}, limit)
	f.do("UpdateAlias", m{"AliasName": "alias/0", "TargetKeyId": id}) // it has that one already
	f.do("DeleteAlias", m{"AliasName": "alias/0"})
	f.do("UpdateAlias", m{"AliasName": "alias/other", "TargetKeyId": id})
}

// TestAliasesOfAccounts: the same name is another alias in another account and
// in another Region.
func TestAliasesOfAccounts(t *testing.T) {
	f := newFixture(t)
	named := map[string]string{}
	for _, place := range [][2]string{{account, region}, {foreign, region}, {account, "us-west-2"}} {
		f.account, f.region = place[0], place[1]
		id, _ := f.create(m{})
		f.do("CreateAlias", m{"AliasName": "alias/same", "TargetKeyId": id})
		named[place[0]+place[1]] = id
	}
	for _, place := range [][2]string{{account, region}, {foreign, region}, {account, "us-west-2"}} {
		f.account, f.region = place[0], place[1]
		if got := f.do("DescribeKey", m{"KeyId": "alias/same"}).object("KeyMetadata").text("KeyId"); got != named[place[0]+place[1]] {
			t.Errorf("in %v the alias names %s", place, got)
		}
		if n := len(f.do("ListAliases", m{}).list("Aliases")) + len(f.do("ListKeys", m{}).list("Keys")); n != 2 {
			t.Errorf("in %v the lists have %d entries", place, n)
		}
	}
}
