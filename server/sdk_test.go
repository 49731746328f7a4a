package server_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
)

// describeKey stands in for the KMS service: the SDK is what is tested against.
func describeKey(fail func() error) server.Service {
	decode := func(body []byte, r *struct{ KeyId string }) error { return json.Unmarshal(body, r) }
	return server.Service{Name: "kms", Protocol: server.JSON("TrentService"), Operations: []call.Operation{
		call.Bind("DescribeKey", true, decode, func(_ context.Context, _ *fsm.Txn, _ *call.Call, r *struct{ KeyId string }) (any, error) {
			if err := fail(); err != nil {
				return nil, err
			}
			return map[string]any{"KeyMetadata": map[string]any{"KeyId": r.KeyId, "CreationDate": 1.7e9}}, nil
		}),
		call.Bind("EnableKey", false, decode, func(context.Context, *fsm.Txn, *call.Call, *struct{ KeyId string }) (any, error) {
			return nil, nil
		}),
	}}
}

// sdk makes a fixture with the SDK's client before it, over TLS on a real port.
func sdk(t *testing.T, fail func() error) (*fixture, *kms.Client) {
	t.Helper()
	f := newFixture(t, func(c *server.Config) {
		c.Services = []server.Service{describeKey(fail)}
		c.Now = time.Now
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	authority := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(authority.Close)
	served := make(chan error, 1)
	go func() {
		served <- f.Serve(listener, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &authority.TLS.Certificates[0], nil })
	}()
	t.Cleanup(func() {
		if err := errors.Join(f.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return f, kms.New(kms.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("https://" + listener.Addr().String()), HTTPClient: authority.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(f.root.AccessKeyID, string(f.root.Secret.Reveal()), ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

func TestTheSDK(t *testing.T) {
	f, client := sdk(t, func() error { return nil })
	out, err := client.DescribeKey(context.Background(), &kms.DescribeKeyInput{KeyId: aws.String("k")})
	if err != nil || *out.KeyMetadata.KeyId != "k" || out.KeyMetadata.CreationDate.Unix() != 1.7e9 {
		t.Fatalf("%+v, %v", out, err)
	}
	event := f.last(t)
	if details := event.TLSDetails; details == nil || details.TLSVersion != "TLSv1.3" || details.CipherSuite == "" || details.KeyExchange == "" {
		t.Errorf("TLS details are %+v", details)
	}
	if event.AWSRegion != "eu-central-1" || event.SourceIPAddress != "127.0.0.1" {
		t.Errorf("record is %+v", event)
	}
	if _, err := client.EnableKey(context.Background(), &kms.EnableKeyInput{KeyId: aws.String("k")}); err != nil {
		t.Errorf("no output: %v", err)
	}
}

func TestTheSDKUnderstandsErrors(t *testing.T) {
	var fail error
	_, client := sdk(t, func() error { return fail })
	ask := func() error {
		_, err := client.DescribeKey(context.Background(), &kms.DescribeKeyInput{KeyId: aws.String("k")})
		return err
	}
	fail = call.Errorf("NotFoundException", "Invalid keyId k")
	if notFound := (*types.NotFoundException)(nil); !errors.As(ask(), &notFound) || notFound.ErrorMessage() != "Invalid keyId k" {
		t.Errorf("answer is %v", ask())
	}
	_, err := client.ListKeys(context.Background(), nil)
	if unknown := smithy.APIError(nil); !errors.As(err, &unknown) || unknown.ErrorCode() != "UnknownOperationException" {
		t.Errorf("answer is %v", err)
	}
	wrong := kms.New(client.Options(), func(o *kms.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIAUNKNOWN", "secret", "")
	})
	_, err = wrong.DescribeKey(context.Background(), &kms.DescribeKeyInput{KeyId: aws.String("k")})
	if unknown := smithy.APIError(nil); !errors.As(err, &unknown) || unknown.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("answer is %v", err)
	}
}

// TestTheSDKRetriesFailures: whatever fails inside Cofre, a client that tries
// again gets its answer.
func TestTheSDKRetriesFailures(t *testing.T) {
	for _, failure := range []error{cluster.ErrOverloaded, cluster.ErrContention, cluster.ErrUnavailable, cluster.ErrUnknown, errOops} {
		attempts := 0
		_, client := sdk(t, func() error {
			if attempts++; attempts == 1 {
				return failure
			}
			return nil
		})
		if _, err := client.DescribeKey(context.Background(), &kms.DescribeKeyInput{KeyId: aws.String("k")}); err != nil || attempts != 2 {
			t.Errorf("%v: %v after %d attempts", failure, err, attempts)
		}
	}
}

func TestOnlyHTTP1(t *testing.T) {
	_, client := sdk(t, func() error { return nil })
	c := &http.Client{Transport: client.Options().HTTPClient.(*http.Client).Transport.(*http.Transport).Clone()}
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	resp, err := c.Get(*client.Options().BaseEndpoint + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 1 || resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
}
