package clients

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/cofre-kms/cofre/test/rig"
)

// goSDK is a driver in this process: the AWS SDK for Go v2.
type goSDK struct {
	ctx  context.Context
	http *http.Client
}

func newGoSDK(t *testing.T, c *rig.Cluster) driver {
	// The scenario enters the journal itself, for all drivers.
	return &goSDK{t.Context(), rig.NewHTTP(t, c.CAFile, new(rig.Journal))}
}

// method is the SDK's method of an operation, as a method of *kms.Client.
func method(op string) (reflect.Method, bool) {
	m, ok := reflect.TypeFor[*kms.Client]().MethodByName(op)
	return m, ok && m.Type.NumIn() == 4 && m.Type.NumOut() == 2
}

// methodsOfClient are the names of the SDK's operations.
func methodsOfClient() []string {
	var names []string
	client := reflect.TypeFor[*kms.Client]()
	for i := range client.NumMethod() {
		if name := client.Method(i).Name; name != "Options" {
			if _, ok := method(name); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// inputOf and outputOf are the structs that an operation takes and answers.
func inputOf(op reflect.Method) reflect.Type  { return op.Type.In(2).Elem() }
func outputOf(op reflect.Method) reflect.Type { return op.Type.Out(0).Elem() }

func (g *goSDK) do(c call) (answer, error) {
	op, ok := method(c.Op)
	if !ok || c.Model {
		return answer{}, fmt.Errorf("the SDK for Go has no %s", c.Op)
	}
	in := reflect.New(inputOf(op))
	text, err := json.Marshal(c.In) // bytes and times as Unmarshal wants them
	if err != nil {
		return answer{}, err
	}
	if err := json.Unmarshal(text, in.Interface()); err != nil {
		return answer{}, err
	}
	client := rig.NewClient(c.Endpoint, g.http, rig.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey})
	options := func(o *kms.Options) { o.Region, o.Retryer = c.Region, retry.NewStandard() }
	results := op.Func.CallSlice([]reflect.Value{
		reflect.ValueOf(client), reflect.ValueOf(g.ctx), in, reflect.ValueOf([]func(*kms.Options){options}),
	})
	if err, _ := results[1].Interface().(error); err != nil {
		return refusal(err)
	}
	out, _ := plain(results[0]).(map[string]any)
	delete(out, "ResultMetadata")
	metadata, _ := results[0].Elem().FieldByName("ResultMetadata").Interface().(middleware.Metadata)
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	return answer{RequestID: id, Status: http.StatusOK, Out: out}, nil
}

// refusal takes an API error apart; others are returned.
func refusal(err error) (answer, error) {
	var api smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &response) {
		return answer{}, err
	}
	a := answer{
		RequestID: response.ServiceRequestID(), Status: response.HTTPStatusCode(), Error: api.ErrorCode(), Message: api.ErrorMessage(),
	}
	if a.Message == "UnknownError" { // the SDK's word for an error without a message
		a.Message = ""
	}
	return a, nil
}

// plain makes of the SDK's structs what JSON would have: what is absent is not
// there.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if at, ok := v.Interface().(*time.Time); ok {
			return float64(at.UnixNano()) / 1e9
		}
		return plain(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if b, ok := v.Interface().([]byte); ok {
			return base64.StdEncoding.EncodeToString(b)
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		out := make(map[string]any)
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = plain(it.Value())
		}
		return out
	case reflect.Struct:
		out := make(map[string]any)
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				member := plain(v.Field(i))
				// An enumeration that is absent is an empty string.
				if member != nil && !(v.Field(i).Kind() == reflect.String && member == "") {
					out[field.Name] = member
				}
			}
		}
		return out
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64:
		return float64(v.Int())
	}
	return fmt.Sprintf("a %v", v.Type())
}
