package kms_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/server/call"
)

const (
	s3    = "s3.amazonaws.com"
	trail = "cloudtrail.amazonaws.com"
)

// through is somebody whose calls a service makes.
func through(service string, who *call.Principal) *call.Principal {
	via := *who
	via.Via = service
	return &via
}

// itself is a service that calls for itself, on account of something.
func itself(service, sourceARN, sourceAccount string) *call.Principal {
	return &call.Principal{
		Type: "AWSService", AccountID: foreign, ARN: service, PrincipalID: service, AccessKeyID: "AKIASERVICE",
		Service: &call.Service{Name: service, SourceARN: sourceARN, SourceAccount: sourceAccount},
	}
}

// last is the last record as it is.
func (f *fixture) last() string {
	f.Helper()
	events := f.node.RawEvents(f)
	return events[len(events)-1]
}

func (f *fixture) holds(text string, parts ...string) {
	f.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			f.Errorf("no %s in %s", part, text)
		}
	}
}

// TestManagedKey: an account's key for a service appears when the service needs
// it, is used through the service by everybody in the account, and is changed by
// nobody.
func TestManagedKey(t *testing.T) {
	f := newFixture(t)
	bob := f.user(account, "bob") // who has no policy at all
	f.refuse("Encrypt", m{"KeyId": "alias/aws/s3", "Plaintext": "eA=="}, "NotFoundException: Alias arn:aws:kms:"+region+":"+account+":alias/aws/s3 is not found.")
	var sealed answer
	f.as(through(s3, bob), func() {
		sealed = f.do("GenerateDataKey", m{"KeyId": "alias/aws/s3", "KeySpec": "AES_256", "EncryptionContext": m{"aws:s3:arn": "arn:aws:s3:::b/k"}})
		f.holds(f.last(), `"userIdentity":{"type":"IAMUser"`, `"invokedBy":"`+s3+`"`, `"sourceIPAddress":"`+s3+`"`, `"userAgent":"`+s3+`"`, `"recipientAccountId":"`+account+`"`)
		f.do("Decrypt", m{"CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": m{"aws:s3:arn": "arn:aws:s3:::b/k"}})
	})
	arn := sealed.text("KeyId")
	made := f.serviceEvents("CreateKey")
	if len(made) != 1 {
		t.Fatalf("%d keys are made: %q", len(made), made)
	}
	f.holds(made[0], `"invokedBy":"`+s3+`"`, `"keyManager":"AWS"`, arn)

	key := f.do("DescribeKey", m{"KeyId": arn}).object("KeyMetadata")
	if key.text("KeyManager") != "AWS" || key.text("Description") != "Default key that protects my S3 objects when no other key is defined" || key.text("KeyState") != "Enabled" {
		t.Errorf("it is %v", key)
	}
	if policy := f.do("GetKeyPolicy", m{"KeyId": arn}).text("Policy"); !json.Valid([]byte(policy)) ||
		!strings.Contains(policy, `"kms:ViaService" : "s3.`+region+`.amazonaws.com"`) || !strings.Contains(policy, `"Id" : "auto-s3-2"`) {
		t.Errorf("its policy is %s", policy)
	}
	if status := f.do("GetKeyRotationStatus", m{"KeyId": arn}); status["KeyRotationEnabled"] != true || status["RotationPeriodInDays"] != 365.0 {
		t.Errorf("rotation: %v", status)
	}
	// Nobody uses it directly, nor through another service, and nobody changes it.
	no := func(who *call.Principal, action string) string {
		return "AccessDeniedException: User: " + who.ARN + " is not authorized to perform: kms:" + action + " on resource: " + arn +
			" because no resource-based policy allows the kms:" + action + " action"
	}
	boss := admin(account)
	for operation, request := range map[string]m{
		"Encrypt":             {"Plaintext": "eA=="},
		"DisableKey":          {},
		"ScheduleKeyDeletion": {},
		"PutKeyPolicy":        {"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`},
		"TagResource":         {"Tags": []m{{"TagKey": "k", "TagValue": "v"}}},
		"EnableKeyRotation":   {},
		"DisableKeyRotation":  {},
		"RotateKeyOnDemand":   {},
		"RevokeGrant":         {"GrantId": strings.Repeat("a", 64)},
	} {
		request["KeyId"] = arn
		f.refuse(operation, request, no(boss, operation))
	}
	f.refuse("CreateAlias", m{"AliasName": "alias/mine", "TargetKeyId": arn}, no(boss, "CreateAlias"))
	f.refuse("UpdateKeyDescription", m{"KeyId": arn, "Description": "d"}, no(boss, "UpdateKeyDescription"))
	f.refuse("DeleteAlias", m{"AliasName": "alias/aws/s3"}, "NotAuthorizedException")
	f.as(through("rds.amazonaws.com", bob), func() { f.refuse("Encrypt", m{"KeyId": arn, "Plaintext": "eA=="}, no(bob, "Encrypt")) })
	// Another account has its own.
	f.account = foreign
	f.as(through(s3, admin(foreign)), func() {
		if other := f.do("GenerateDataKey", m{"KeyId": "alias/aws/s3", "KeySpec": "AES_256"}).text("KeyId"); other == arn || !strings.Contains(other, foreign) {
			t.Errorf("the other account's is %s", other)
		}
		f.refuse("Encrypt", m{"KeyId": "alias/aws/rds", "Plaintext": "eA=="}, "NotFoundException: Alias arn:aws:kms:"+region+":"+foreign+":alias/aws/rds is not found.")
	})
}

// TestDescribeManagedKey: DescribeKey has the key made, for who may look at it.
func TestDescribeManagedKey(t *testing.T) {
	f := newFixture(t)
	bob := f.user(account, "bob")
	f.as(bob, func() {
		f.refuseStart("DescribeKey", m{"KeyId": "alias/aws/ebs"}, "AccessDeniedException: User: "+bob.ARN)
	})
	if len(f.serviceEvents("CreateKey")) != 0 {
		t.Error("a refused call has made a key")
	}
	arn := f.do("DescribeKey", m{"KeyId": "alias/aws/ebs"}).object("KeyMetadata").text("Arn")
	if again := f.do("DescribeKey", m{"KeyId": "alias/aws/ebs"}).object("KeyMetadata").text("Arn"); again != arn {
		t.Errorf("once %s, then %s", arn, again)
	}
	f.refuse("DescribeKey", m{"KeyId": "alias/aws/nothing"}, "NotFoundException: Alias arn:aws:kms:"+region+":"+account+":alias/aws/nothing is not found.")
	// The volume manager makes grants with it, as EBS does.
	f.as(through("ec2.amazonaws.com", bob), func() {
		f.do("CreateGrant", m{"KeyId": arn, "GranteePrincipal": bob.ARN, "Operations": []string{"Decrypt"}})
	})
	f.as(through(s3, bob), func() {
		f.refuseStart("CreateGrant", m{"KeyId": arn, "GranteePrincipal": bob.ARN, "Operations": []string{"Decrypt"}}, "AccessDeniedException")
	})
}

// TestManagedKeyRotates every year.
func TestManagedKeyRotates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		arn := f.do("DescribeKey", m{"KeyId": "alias/aws/s3"}).object("KeyMetadata").text("Arn")
		stop := f.steward(365*day - time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		stop()
		if got := f.rotations(m{"KeyId": arn}); len(got) != 1 {
			t.Errorf("after a year: %q", got)
		}
	})
}

// TestViaService: conditions tell calls through a service from others.
func TestViaService(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	bob := f.user(account, "bob")
	statement := func(effect, condition string) string {
		return `{"Effect":"` + effect + `","Principal":{"AWS":"` + bob.ARN + `"},"Action":"kms:Encrypt","Resource":"*","Condition":` + condition + `}`
	}
	use := m{"KeyId": id, "Plaintext": "eA=="}
	for _, test := range []struct {
		name, statement string
		via, direct     bool
	}{
		{"kms:ViaService", statement("Allow", `{"StringEquals":{"kms:ViaService":"s3.`+region+`.amazonaws.com"}}`), true, false},
		{"another service", statement("Allow", `{"StringEquals":{"kms:ViaService":"rds.`+region+`.amazonaws.com"}}`), false, false},
		{"another Region", statement("Allow", `{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`), false, false},
		{"aws:CalledVia", statement("Allow", `{"ForAnyValue:StringEquals":{"aws:CalledVia":["`+s3+`"]}}`), true, false},
		{"aws:CalledViaFirst", statement("Allow", `{"StringEquals":{"aws:CalledViaFirst":"`+s3+`"}}`), true, false},
		{"aws:ViaAWSService", statement("Allow", `{"Bool":{"aws:ViaAWSService":"true"}}`), true, false},
		{"not aws:ViaAWSService", statement("Allow", `{"Bool":{"aws:ViaAWSService":"false"}}`), false, true},
		{"aws:PrincipalIsAWSService", statement("Allow", `{"Bool":{"aws:PrincipalIsAWSService":"false"}}`), true, true},
		{"aws:SourceIp", statement("Allow", `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`), false, true},
		{"aws:SourceArn", statement("Allow", `{"Null":{"aws:SourceArn":"true"}}`), true, true},
		{"unless through it", statement("Allow", `{}`) + "," + statement("Deny", `{"StringNotEquals":{"kms:ViaService":"s3.`+region+`.amazonaws.com"}}`), true, false},
	} {
		f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(test.statement)})
		for who, allowed := range map[*call.Principal]bool{through(s3, bob): test.via, bob: test.direct} {
			f.as(who, func() {
				_, err := f.try("Encrypt", encode(f, use))
				if (err == nil) != allowed {
					t.Errorf("%s, via %q: %v", test.name, who.Via, err)
				}
			})
		}
	}
	_ = arn
}

// TestServicePrincipal: a service that calls for itself is allowed by key policies
// that name it, and the record says that it was the service.
func TestServicePrincipal(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	const source = "arn:aws:cloudtrail:" + region + ":" + account + ":trail/t"
	service := itself(trail, source, account)
	request := m{"KeyId": arn, "KeySpec": "AES_256", "EncryptionContext": m{"aws:cloudtrail:arn": source}}
	denied := "AccessDeniedException: User: " + trail + " is not authorized to perform: kms:GenerateDataKey on this resource because the resource does not exist in this Region, " +
		"no resource-based policies allow access, or a resource-based policy explicitly denies access"
	f.as(service, func() { f.refuse("GenerateDataKey", request, denied) })
	f.holds(f.last(), `"userIdentity":{"type":"AWSService","invokedBy":"`+trail+`"}`, `"errorCode":"AccessDenied"`, `"recipientAccountId":"`+foreign+`"`)
	named := `{"Effect":"Allow","Principal":{"Service":"` + trail + `"},"Action":"kms:GenerateDataKey*","Resource":"*","Condition":`
	for condition, allowed := range map[string]bool{
		`{}`: true,
		`{"StringEquals":{"aws:SourceArn":"` + source + `","aws:SourceAccount":"` + account + `"},"StringLike":{"kms:EncryptionContext:aws:cloudtrail:arn":"arn:aws:cloudtrail:*:` + account + `:trail/*"}}`: true,
		`{"Bool":{"aws:PrincipalIsAWSService":"true"},"StringEquals":{"aws:PrincipalServiceName":"` + trail + `"}}`:                                                                                          true,
		`{"StringEquals":{"aws:SourceArn":"` + source + `2"}}`:                    false,
		`{"StringEquals":{"aws:SourceAccount":"` + foreign + `"}}`:                false,
		`{"StringEquals":{"kms:ViaService":"cloudtrail.` + region + `.aws.com"}}`: false,
		`{"Null":{"kms:ViaService":"false"}}`:                                     false,
		`{"Null":{"kms:CallerAccount":"false"}}`:                                  false,
		`{"Bool":{"aws:ViaAWSService":"true"}}`:                                   false,
	} {
		f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(named + condition + "}")})
		f.as(service, func() {
			_, err := f.try("GenerateDataKey", encode(f, request))
			if (err == nil) != allowed {
				t.Errorf("%s: %v", condition, err)
			}
		})
		f.as(itself(s3, source, account), func() { f.refuseStart("GenerateDataKey", request, "AccessDeniedException") })
	}
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(named + "{}}")})
	f.as(service, func() {
		f.do("GenerateDataKey", request)
		f.holds(f.last(), `"userIdentity":{"type":"AWSService","invokedBy":"`+trail+`"}`, `"sourceIPAddress":"`+trail+`"`, `"recipientAccountId":"`+account+`"`)
		if strings.Contains(f.last(), "AKIASERVICE") {
			t.Errorf("recorded as %s", f.last())
		}
		f.refuseStart("CreateKey", m{}, "AccessDeniedException")
		f.refuseStart("GenerateRandom", m{"NumberOfBytes": 8}, "AccessDeniedException")
		f.refuseStart("ListKeys", m{}, "AccessDeniedException")
	})
}

// TestServiceGrants: a grant to a service is for what it does on account of one
// resource.
func TestServiceGrants(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	bob := f.user(account, "bob")
	const volume, other = "arn:aws:ec2:" + region + ":" + account + ":volume/vol-1", "arn:aws:ec2:" + region + ":" + account + ":volume/vol-2"
	const ec2 = "ec2.amazonaws.com"
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": keyPolicy(`{"Effect":"Allow","Principal":{"AWS":"` + bob.ARN +
		`"},"Action":"kms:CreateGrant","Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}}`)})
	grant := m{"KeyId": arn, "GranteeServicePrincipal": ec2, "RetiringServicePrincipal": ec2, "Operations": []string{"Decrypt", "DescribeKey", "RetireGrant"},
		"Constraints": m{"SourceArn": volume, "EncryptionContextSubset": m{"aws:ebs:id": "vol-1"}}}
	f.as(bob, func() { f.refuseStart("CreateGrant", grant, "AccessDeniedException") })
	var made string
	f.as(through(ec2, bob), func() { made = f.do("CreateGrant", grant).text("GrantId") })
	blob := f.encrypt(id, "x", m{"aws:ebs:id": "vol-1"})
	decrypt := m{"CiphertextBlob": blob, "EncryptionContext": m{"aws:ebs:id": "vol-1"}}
	f.as(itself(ec2, volume, account), func() {
		f.do("Decrypt", decrypt)
		f.do("DescribeKey", m{"KeyId": arn})
		f.refuseStart("Encrypt", m{"KeyId": arn, "Plaintext": "eA=="}, "AccessDeniedException")
	})
	for _, who := range []*call.Principal{itself(ec2, other, account), itself(ec2, "", account), itself(s3, volume, account), through(ec2, bob)} {
		f.as(who, func() {
			f.refuseStart("Decrypt", decrypt, "AccessDeniedException")
			f.refuseStart("DescribeKey", m{"KeyId": arn}, "AccessDeniedException")
		})
	}
	f.as(itself(ec2, volume, account), func() {
		f.do("RetireGrant", m{"KeyId": arn, "GrantId": made})
		f.refuseStart("Decrypt", decrypt, "AccessDeniedException")
	})
}
