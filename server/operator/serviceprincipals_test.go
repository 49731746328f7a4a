package operator_test

import (
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/server/operator"
)

func TestServicePrincipals(t *testing.T) {
	f := newFixture(t)
	var made operator.ServicePrincipal
	f.must(f.root, "POST", "/v1/service-principals", `{"service":"s3.amazonaws.com","description":"the store"}`, &made)
	if made.Service != "s3.amazonaws.com" || !strings.HasPrefix(made.AccessKeyID, "AKIA") || len(made.SecretAccessKey) != 40 {
		t.Errorf("made %s of %s", made.AccessKeyID, made.Service)
	}
	raw := f.node.RawEvents(t)
	if last := raw[len(raw)-1]; strings.Contains(last, made.SecretAccessKey) || !strings.Contains(last, made.AccessKeyID) {
		t.Errorf("recorded %s", last)
	}
	var list operator.ServicePrincipals
	f.must(f.root, "GET", "/v1/service-principals", "", &list)
	if len(list.ServicePrincipals) != 1 || list.ServicePrincipals[0].AccessKeyID != made.AccessKeyID || list.ServicePrincipals[0].SecretAccessKey != "" ||
		list.ServicePrincipals[0].Description != "the store" {
		t.Errorf("listed %+v", list.ServicePrincipals)
	}
	f.refuse(f.root, "POST", "/v1/service-principals", `{"service":"s3"}`, 400, "ValidationError", "")
	f.refuse(f.root, "POST", "/v1/service-principals", `{}`, 400, "ValidationError", "")
	f.must(f.root, "DELETE", "/v1/service-principals/"+made.AccessKeyID, "", nil)
	f.refuse(f.root, "DELETE", "/v1/service-principals/"+made.AccessKeyID, "", 404, "NotFound", "")
	f.refuse(f.root, "DELETE", "/v1/service-principals/"+f.root.AccessKeyID, "", 404, "NotFound", "") // a user's
}
