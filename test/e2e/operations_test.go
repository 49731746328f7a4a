package e2e

import (
	"bytes"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestOperations calls every operation through the Go SDK. Each step goes to the
// next node, so that everything that is written on one node is used on another.
func TestOperations(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
		s.key = s.createKey("first")
		s.other = s.createKey("second")
		for _, step := range []struct {
			name string
			run  func(s *scenario)
		}{
			{"lists", (*scenario).lists},
			{"aliases", (*scenario).aliases},
			{"cryptography", (*scenario).cryptography},
			{"data keys", (*scenario).dataKeys},
			{"other keys", (*scenario).otherKeys},
			{"random", (*scenario).random},
			{"states", (*scenario).states},
			{"description and tags", (*scenario).describeAndTag},
			{"policies", (*scenario).policies},
			{"grants", func(s *scenario) { s.grants(c) }},
			{"tenants", func(s *scenario) { s.tenants(c) }},
		} {
			t.Run(step.name, func(t *testing.T) {
				s.t, s.ctx = t, t.Context()
				step.run(s)
			})
		}
	})
}

func (s *scenario) lists() {
	for range s.clients {
		pages := kms.NewListKeysPaginator(s.on(), &kms.ListKeysInput{Limit: aws.Int32(1)})
		var ids []string
		for pages.HasMorePages() {
			page, err := pages.NextPage(s.ctx)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, k := range page.Keys {
				ids = append(ids, *k.KeyId)
			}
		}
		slices.Sort(ids)
		want := []string{s.key, s.other}
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			s.t.Errorf("keys %v, want %v", ids, want)
		}
	}
}

func (s *scenario) aliases() {
	name := aws.String("alias/e2e")
	call(s, (*kms.Client).CreateAlias, &kms.CreateAliasInput{AliasName: name, TargetKeyId: &s.key})
	if got := *s.describe(*name).KeyId; got != s.key {
		s.t.Errorf("the alias leads to %s, want %s", got, s.key)
	}
	call(s, (*kms.Client).UpdateAlias, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &s.other})
	list := call(s, (*kms.Client).ListAliases, &kms.ListAliasesInput{KeyId: &s.other})
	if len(list.Aliases) != 1 || *list.Aliases[0].AliasName != *name || *list.Aliases[0].TargetKeyId != s.other {
		s.t.Fatalf("aliases %+v", list.Aliases)
	}
	arn := *list.Aliases[0].AliasArn
	if got := *s.describe(arn).KeyId; got != s.other {
		s.t.Errorf("the alias's ARN leads to %s, want %s", got, s.other)
	}
	call(s, (*kms.Client).DeleteAlias, &kms.DeleteAliasInput{AliasName: name})
	fails(s, "NotFoundException", (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: name})
}

func (s *scenario) cryptography() {
	plaintext, where := s.secrets.Plaintext(100), map[string]string{"where": "e2e"}
	arn := *s.describe(s.key).Arn
	sealed := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &arn, Plaintext: plaintext, EncryptionContext: where})
	for range s.clients {
		opened := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: where})
		if !bytes.Equal(opened.Plaintext, plaintext) || *opened.KeyId != arn {
			s.t.Errorf("decrypted something else, with %s", *opened.KeyId)
		}
	}
	moved := call(s, (*kms.Client).ReEncrypt, &kms.ReEncryptInput{
		CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: where, DestinationKeyId: &s.other,
	})
	opened := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob, KeyId: &s.other})
	if !bytes.Equal(opened.Plaintext, plaintext) || *moved.SourceKeyId != arn {
		s.t.Errorf("re-encrypted something else, from %s", *moved.SourceKeyId)
	}
	fails(s, "IncorrectKeyException", (*kms.Client).Decrypt, &kms.DecryptInput{
		CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: where, KeyId: &s.other})
}

func (s *scenario) dataKeys() {
	where := map[string]string{"volume": "1"}
	whole := call(s, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyInput{KeyId: &s.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: where})
	s.secrets.Add("a data key", whole.Plaintext)
	opened := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: whole.CiphertextBlob, EncryptionContext: where})
	if len(whole.Plaintext) != 32 || !bytes.Equal(opened.Plaintext, whole.Plaintext) {
		s.t.Errorf("a data key of %d bytes that decrypts to something else", len(whole.Plaintext))
	}
	sealed := call(s, (*kms.Client).GenerateDataKeyWithoutPlaintext, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &s.key, NumberOfBytes: aws.Int32(64)})
	opened = call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	s.secrets.Add("a data key", opened.Plaintext)
	if len(opened.Plaintext) != 64 {
		s.t.Errorf("a data key of %d bytes, want 64", len(opened.Plaintext))
	}
}

// otherKeys uses keys that sign, authenticate and agree, each on every node.
func (s *scenario) otherKeys() {
	message := s.secrets.Plaintext(100)
	signer := s.createOther(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	signed := call(s, (*kms.Client).Sign, &kms.SignInput{KeyId: &signer, Message: message, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	hmac := s.createOther(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	mac := call(s, (*kms.Client).GenerateMac, &kms.GenerateMacInput{KeyId: &hmac, Message: message, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	for range s.clients {
		call(s, (*kms.Client).Verify, &kms.VerifyInput{KeyId: &signer, Message: message, Signature: signed.Signature,
			SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
		call(s, (*kms.Client).VerifyMac, &kms.VerifyMacInput{KeyId: &hmac, Message: message, Mac: mac.Mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
	}
	fails(s, "KMSInvalidSignatureException", (*kms.Client).Verify, &kms.VerifyInput{KeyId: &signer, Message: s.secrets.Plaintext(50),
		Signature: signed.Signature, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	one := s.createOther(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	two := s.createOther(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	if !bytes.Equal(s.agree(one, two), s.agree(two, one)) {
		s.t.Error("the two sides of a key agreement have different secrets")
	}
	pair := call(s, (*kms.Client).GenerateDataKeyPair, &kms.GenerateDataKeyPairInput{KeyId: &s.key, KeyPairSpec: types.DataKeyPairSpecEccNistP256})
	s.secrets.Add("a private data key", pair.PrivateKeyPlaintext)
	opened := call(s, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: pair.PrivateKeyCiphertextBlob})
	if !bytes.Equal(opened.Plaintext, pair.PrivateKeyPlaintext) {
		s.t.Error("a private data key decrypts to something else")
	}
	last := call(s, (*kms.Client).GetKeyLastUsage, &kms.GetKeyLastUsageInput{KeyId: &s.key})
	if last.KeyLastUsage.Operation != types.KeyLastUsageTrackingOperationDecrypt {
		s.t.Errorf("the last use is %+v", last.KeyLastUsage)
	}
}

func (s *scenario) createOther(spec types.KeySpec, usage types.KeyUsageType) string {
	s.t.Helper()
	return *call(s, (*kms.Client).CreateKey, &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage}).KeyMetadata.KeyId
}

// agree answers the secret of a key with the public key of another.
func (s *scenario) agree(id, peer string) []byte {
	s.t.Helper()
	public := call(s, (*kms.Client).GetPublicKey, &kms.GetPublicKeyInput{KeyId: &peer})
	out := call(s, (*kms.Client).DeriveSharedSecret, &kms.DeriveSharedSecretInput{
		KeyId: &id, PublicKey: public.PublicKey, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh})
	s.secrets.Add("a shared secret", out.SharedSecret)
	return out.SharedSecret
}

func (s *scenario) random() {
	seen := make(map[string]bool)
	for range s.clients {
		out := call(s, (*kms.Client).GenerateRandom, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)})
		s.secrets.Add("random bytes", out.Plaintext[:32])
		if len(out.Plaintext) != 1024 || seen[string(out.Plaintext)] {
			s.t.Errorf("%d bytes, new: %v", len(out.Plaintext), !seen[string(out.Plaintext)])
		}
		seen[string(out.Plaintext)] = true
	}
}

func (s *scenario) states() {
	encrypt := &kms.EncryptInput{KeyId: &s.key, Plaintext: s.secrets.Plaintext(32)}
	call(s, (*kms.Client).DisableKey, &kms.DisableKeyInput{KeyId: &s.key})
	fails(s, "DisabledException", (*kms.Client).Encrypt, encrypt)
	call(s, (*kms.Client).EnableKey, &kms.EnableKeyInput{KeyId: &s.key})
	call(s, (*kms.Client).Encrypt, encrypt)
	out := call(s, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: &s.key, PendingWindowInDays: aws.Int32(7)})
	if m := s.describe(s.key); m.KeyState != types.KeyStatePendingDeletion || !m.DeletionDate.Equal(*out.DeletionDate) {
		s.t.Errorf("scheduled for %v: %+v", out.DeletionDate, m)
	}
	fails(s, "KMSInvalidStateException", (*kms.Client).Encrypt, encrypt)
	call(s, (*kms.Client).CancelKeyDeletion, &kms.CancelKeyDeletionInput{KeyId: &s.key})
	if m := s.describe(s.key); m.KeyState != types.KeyStateDisabled || m.DeletionDate != nil {
		s.t.Errorf("after the deletion was cancelled: %+v", m)
	}
	call(s, (*kms.Client).EnableKey, &kms.EnableKeyInput{KeyId: &s.key})
	call(s, (*kms.Client).Encrypt, encrypt)
}

func (s *scenario) describeAndTag() {
	call(s, (*kms.Client).UpdateKeyDescription, &kms.UpdateKeyDescriptionInput{KeyId: &s.key, Description: aws.String("changed")})
	if got := *s.describe(s.key).Description; got != "changed" {
		s.t.Errorf("description %q", got)
	}
	call(s, (*kms.Client).TagResource, &kms.TagResourceInput{KeyId: &s.key,
		Tags: []types.Tag{{TagKey: aws.String("team"), TagValue: aws.String("blue")}}})
	call(s, (*kms.Client).UntagResource, &kms.UntagResourceInput{KeyId: &s.key, TagKeys: []string{"made-by"}})
	list := call(s, (*kms.Client).ListResourceTags, &kms.ListResourceTagsInput{KeyId: &s.key})
	if len(list.Tags) != 1 || *list.Tags[0].TagKey != "team" || *list.Tags[0].TagValue != "blue" {
		s.t.Errorf("tags %+v", list.Tags)
	}
}

func (s *scenario) policies() {
	names := call(s, (*kms.Client).ListKeyPolicies, &kms.ListKeyPoliciesInput{KeyId: &s.key})
	if !slices.Equal(names.PolicyNames, []string{"default"}) {
		s.t.Errorf("policies %v", names.PolicyNames)
	}
	before := call(s, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: &s.key})
	changed := (*before.Policy)[:len(*before.Policy)-1] + " }"
	call(s, (*kms.Client).PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: &s.key, Policy: &changed})
	after := call(s, (*kms.Client).GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: &s.key})
	if *after.Policy != changed {
		s.t.Errorf("policy %s, want %s", *after.Policy, changed)
	}
}

// grants lets the second account's administrator do what a grant allows.
func (s *scenario) grants(c *rig.Cluster) {
	stranger := &scenario{t: s.t, ctx: s.ctx}
	for _, n := range c.Nodes {
		stranger.clients = append(stranger.clients, c.Client(s.t, n, c.Second))
	}
	arn, where := s.describe(s.key).Arn, map[string]string{"Department": "IT"}
	decrypt := &kms.DecryptInput{EncryptionContext: where, KeyId: arn}
	decrypt.CiphertextBlob = call(s, (*kms.Client).Encrypt,
		&kms.EncryptInput{KeyId: arn, Plaintext: s.secrets.Plaintext(32), EncryptionContext: where}).CiphertextBlob
	fails(stranger, "AccessDeniedException", (*kms.Client).Decrypt, decrypt)
	create := &kms.CreateGrantInput{
		KeyId: arn, GranteePrincipal: &c.Second.AccountID, RetiringPrincipal: &c.Second.AccountID, Name: aws.String("e2e"),
		Operations:  []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationDescribeKey},
		Constraints: &types.GrantConstraints{EncryptionContextSubset: where},
	}
	made, again := call(s, (*kms.Client).CreateGrant, create), call(s, (*kms.Client).CreateGrant, create)
	if *made.GrantId != *again.GrantId || *made.GrantToken == *again.GrantToken {
		s.t.Errorf("a repetition is answered %+v after %+v", again, made)
	}
	decrypt.GrantTokens = []string{*made.GrantToken}
	call(stranger, (*kms.Client).Decrypt, decrypt)
	call(stranger, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: arn})
	fails(stranger, "AccessDeniedException", (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: arn, Plaintext: s.secrets.Plaintext(32)})
	list := call(s, (*kms.Client).ListGrants, &kms.ListGrantsInput{KeyId: &s.key})
	retirable := call(stranger, (*kms.Client).ListRetirableGrants, &kms.ListRetirableGrantsInput{RetiringPrincipal: &c.Second.AccountID})
	if len(list.Grants) != 1 || len(retirable.Grants) != 1 || *list.Grants[0].GrantId != *made.GrantId ||
		list.Grants[0].Constraints.EncryptionContextSubset["Department"] != "IT" || *list.Grants[0].KeyId != *arn {
		s.t.Errorf("grants %+v, retirable %+v", list.Grants, retirable.Grants)
	}
	fails(s, "DryRunOperationException", (*kms.Client).RevokeGrant,
		&kms.RevokeGrantInput{KeyId: &s.key, GrantId: made.GrantId, DryRun: aws.Bool(true)})
	call(stranger, (*kms.Client).RetireGrant, &kms.RetireGrantInput{GrantToken: again.GrantToken})
	fails(stranger, "AccessDeniedException", (*kms.Client).Decrypt, decrypt)
	made = call(s, (*kms.Client).CreateGrant, create)
	call(s, (*kms.Client).RevokeGrant, &kms.RevokeGrantInput{KeyId: &s.key, GrantId: made.GrantId})
	fails(stranger, "AccessDeniedException", (*kms.Client).Decrypt, decrypt)
}

// tenants shows that the second account's administrator sees and uses nothing of
// the first's.
func (s *scenario) tenants(c *rig.Cluster) {
	stranger := &scenario{t: s.t, ctx: s.ctx, clients: []*kms.Client{c.Client(s.t, c.Node(2), c.Second)}}
	arn := s.describe(s.key).Arn
	fails(stranger, "AccessDeniedException", (*kms.Client).Encrypt,
		&kms.EncryptInput{KeyId: arn, Plaintext: s.secrets.Plaintext(32)})
	fails(stranger, "NotFoundException", (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: &s.key})
	if list := call(stranger, (*kms.Client).ListKeys, &kms.ListKeysInput{}); len(list.Keys) != 0 {
		s.t.Errorf("another account's keys: %+v", list.Keys)
	}
}
