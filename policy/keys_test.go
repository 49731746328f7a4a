package policy_test

import (
	"slices"
	"testing"

	"github.com/cofre-kms/cofre/policy"
)

func TestContextKeys(t *testing.T) {
	const statement = `"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:key/${aws:PrincipalTag/Key, 'none'}${*}${x}",
		"Condition":{"StringEquals":{"kms:ViaService":"s3","aws:username":"${AWS:PrincipalTag/key}-${aws:userid}"},"Null":{"KMS:viaservice":"true"}}}}`
	for version, want := range map[string][]string{
		`{"Version":"2012-10-17",`: {"aws:PrincipalTag/Key", "kms:ViaService", "aws:username", "aws:userid"},
		`{`:                        {"kms:ViaService", "aws:username"},
	} {
		d, err := policy.Parse(policy.IdentityPolicy, version+statement)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.ContextKeys(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", version, got)
		}
	}
}
