// Package managed has the managed policies of AWS that are of use here: what
// attaching arn:aws:iam::aws:policy/AdministratorAccess means. They are part of
// the release, not of the state, and never change in place.
package managed

// Policy is a managed policy of AWS. It has one version.
type Policy struct {
	Name        string
	ARN         string
	ID          string // ANPA…
	Description string
	Created     int64 // Unix milliseconds
	Text        string
}

// AdministratorAccess is the ARN of the policy that allows everything.
const AdministratorAccess = "arn:aws:iam::aws:policy/AdministratorAccess"

// created is when AWS made the oldest of them.
const created = 1423232400000

// All answers the policies, sorted by name.
func All() []*Policy {
	return []*Policy{
		of("AWSKeyManagementServicePowerUser", "ANPAJNPP7PPPPMJRV2SA4",
			"Provides access to AWS Key Management Service (KMS).", powerUser),
		of("AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "Provides full access to AWS services and resources.", administrator),
		of("IAMFullAccess", "ANPAI7XKCFMBPM3QQRRVQ", "Provides full access to IAM via the AWS Management Console.", iamFull),
		of("IAMReadOnlyAccess", "ANPAJKSO7NDY4T57MWDSQ", "Provides read only access to IAM via the AWS Management Console.", iamReadOnly),
		of("PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS",
			"Provides full access to AWS services and resources, but does not allow management of Users and groups.", power),
		of("ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", "Provides read-only access to AWS services and resources.", readOnly),
		of("SecurityAudit", "ANPAIX2T3QCXHR2OGGCTO", "Grants access to read security configuration metadata.", audit),
	}
}

// Find answers the policy that an ARN names, nil where it names none of AWS.
func Find(arn string) *Policy {
	for _, p := range All() {
		if p.ARN == arn {
			return p
		}
	}
	return nil
}

func of(name, id, description, text string) *Policy {
	return &Policy{
		Name: name, ARN: "arn:aws:iam::aws:policy/" + name, ID: id, Description: description, Created: created, Text: text,
	}
}

// The documents. Those of AWS that span all its services are cut down to the
// services that Cofre has.
const (
	administrator = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

	power = `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},
{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles"],"Resource":"*"}]}`

	powerUser = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:CreateAlias","kms:CreateKey","kms:DeleteAlias",
"kms:Describe*","kms:GenerateRandom","kms:Get*","kms:List*","kms:TagResource","kms:UntagResource",
"iam:ListGroups","iam:ListRoles","iam:ListUsers"],"Resource":"*"}]}`

	iamFull = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*"],"Resource":"*"}]}`

	iamReadOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport",
"iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],
"Resource":"*"}]}`

	readOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Describe*","kms:Get*","kms:List*",
"iam:Get*","iam:List*","iam:Generate*","iam:Simulate*","sts:GetAccessKeyInfo","sts:GetCallerIdentity","sts:GetSessionToken",
"cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","cloudtrail:LookupEvents"],"Resource":"*"}]}`

	audit = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Describe*","kms:GetKeyPolicy",
"kms:GetKeyRotationStatus","kms:List*","iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*",
"iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy","cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*",
"cloudtrail:LookupEvents"],"Resource":"*"}]}`
)
