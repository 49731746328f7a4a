package policy

import "testing"

// BenchmarkEvaluate is a request that a typical key policy leaves to two identity
// policies.
func BenchmarkEvaluate(b *testing.B) {
	parse := func(kind Kind, text string) *Document {
		d, err := Parse(kind, text)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	const account = "111122223333"
	p := &Policies{
		Resource: parse(KeyPolicy, `{"Version":"2012-10-17","Statement":[
			{"Sid":"Enable","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+account+`:root"},"Action":"kms:*","Resource":"*"},
			{"Sid":"Admins","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+account+`:user/admin"},
			 "Action":["kms:Create*","kms:Describe*","kms:Enable*","kms:List*","kms:Put*"],"Resource":"*"},
			{"Sid":"Users","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::`+account+`:role/a","arn:aws:iam::`+account+`:role/b"]},
			 "Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*"}]}`),
		Identity: []*Document{
			parse(IdentityPolicy, `{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"},
				{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`),
			parse(IdentityPolicy, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],
				"Resource":"arn:aws:kms:*:`+account+`:key/*",
				"Condition":{"StringEquals":{"kms:EncryptionContext:app":"shop"}}}}`),
		},
		Grant: func() Reach { return Unnamed },
	}
	r := &Request{
		Principal: &Principal{Account: account, ARN: "arn:aws:iam::" + account + ":user/alice", ID: "AIDAALICE0000001"},
		Action:    "kms:Encrypt", Resource: "arn:aws:kms:eu-west-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab",
		Account: account, Context: words{"aws:securetransport": {"true"}, "kms:encryptioncontext:app": {"shop"}},
	}
	if d := Evaluate(r, p); d.Outcome != Allow {
		b.Fatalf("%+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(r, p)
	}
}
