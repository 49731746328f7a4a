package e2e

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// scenario is a walk over the API on all nodes in turn.
type scenario struct {
	t          *testing.T
	ctx        context.Context
	clients    []*kms.Client
	secrets    *rig.Secrets
	calls      int
	key, other string
}

// on answers the client of the next node.
func (s *scenario) on() *kms.Client {
	s.calls++
	return s.clients[s.calls%len(s.clients)]
}

// operation is a method of the SDK's client.
type operation[In, Out any] func(*kms.Client, context.Context, *In, ...func(*kms.Options)) (*Out, error)

// call calls an operation on the next node; it must succeed.
func call[In, Out any](s *scenario, op operation[In, Out], in *In) *Out {
	s.t.Helper()
	out, err := op(s.on(), s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// fails calls an operation on the next node; it must answer this error.
func fails[In, Out any](s *scenario, want string, op operation[In, Out], in *In) {
	s.t.Helper()
	_, err := op(s.on(), s.ctx, in)
	wantCode(s.t, err, want)
}

func (s *scenario) createKey(description string) string {
	s.t.Helper()
	out := call(s, (*kms.Client).CreateKey, &kms.CreateKeyInput{
		Description: &description,
		Tags:        []types.Tag{{TagKey: aws.String("made-by"), TagValue: aws.String("e2e")}},
	})
	if m := out.KeyMetadata; m.KeyState != types.KeyStateEnabled || *m.Description != description {
		s.t.Fatalf("created %+v", m)
	}
	return *out.KeyMetadata.KeyId
}

func (s *scenario) describe(id string) *types.KeyMetadata {
	s.t.Helper()
	return call(s, (*kms.Client).DescribeKey, &kms.DescribeKeyInput{KeyId: &id}).KeyMetadata
}
