package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
)

// TestSecretsReachNeitherRecordsNorLogs plants a marked secret in whatever a
// client sends, and lets operations end in every way there is.
func TestSecretsReachNeitherRecordsNorLogs(t *testing.T) {
	f := newFixture(t)
	planted := 0
	rapid.Check(t, func(rt *rapid.T) {
		planted++
		secret := fmt.Sprintf("planted-%d-secret", planted)
		end := rapid.SampledFrom([]any{
			nil, call.Errorf("NotFoundException", "no"), &call.Error{Code: "AccessDeniedException", RecordCode: "AccessDenied"},
			cluster.ErrUnknown, errOops, "panic",
		}).Draw(rt, "end")
		f.run = func(_ context.Context, _ *fsm.Txn, _ *call.Call, req *request) (any, error) {
			if end == "panic" {
				panic(req.Secret)
			}
			err, _ := end.(error)
			return &request{Secret: req.Secret}, err
		}
		body, err := json.Marshal(map[string]any{
			"KeyID": rapid.SampledFrom([]any{"k", "", 7}).Draw(rt, "keyId"), "Secret": secret,
			rapid.SampledFrom([]string{"Other", secret}).Draw(rt, "member"): secret,
		})
		if err != nil {
			rt.Fatal(err)
		}
		cut := rapid.IntRange(0, 1).Draw(rt, "cut") // sometimes no JSON
		target := rapid.SampledFrom([]string{"TrentService.Run", "TrentService.Echo", "TrentService." + secret, secret}).Draw(rt, "target")
		r := f.sign(t, f.root, target, string(body[cut:]))
		switch rapid.IntRange(0, 4).Draw(rt, "damage") {
		case 0:
			r.Header.Set("X-Amz-Security-Token", secret)
		case 1:
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Credential=", "Credential="+secret, 1))
		case 2:
			r.Header.Set("Authorization", secret)
		}
		f.send(t, r)
	})
	everything := f.logs.String() + strings.Join(f.node.RawEvents(t), "\n")
	for _, forbidden := range []string{"planted-", string(f.root.Secret.Reveal()), "Signature="} {
		if i := strings.Index(everything, forbidden); i >= 0 {
			t.Errorf("%q came through: %s", forbidden, everything[max(0, i-200):min(len(everything), i+200)])
		}
	}
	if len(f.node.RawEvents(t)) == 0 || !strings.Contains(f.logs.String(), "does not authenticate") {
		t.Error("nothing was recorded or logged")
	}
}
