package workload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Request is one request.
type Request struct {
	Service   string // "kms" or "iam"
	Region    string // empty: the cluster's first
	Operation string
	Body      []byte
	UserAgent string
	As        Credentials // none: the administrator
}

// Credentials are an access key.
type Credentials struct{ AccessKeyID, Secret string }

// iamRegion is the one that IAM's credentials are scoped to.
const iamRegion = "us-east-1"

// Sign gives an HTTP request, which has the body already, its headers and its
// signature.
func (r *Request) Sign(ctx context.Context, req *http.Request, administrator Credentials, region string) error {
	req.Header.Set("User-Agent", r.UserAgent)
	if r.Service == "iam" {
		region = iamRegion
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "TrentService."+r.Operation)
	}
	if r.Region != "" {
		region = r.Region
	}
	as := r.As
	if as.AccessKeyID == "" {
		as = administrator
	}
	hash := sha256.Sum256(r.Body)
	return v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: as.AccessKeyID, SecretAccessKey: as.Secret},
		req, hex.EncodeToString(hash[:]), r.Service, region, time.Now())
}

// Send signs a request, sends it to the node of a URL, once, and waits for the
// answer until ctx is done.
func (r *Request) Send(ctx context.Context, client *http.Client, url string, administrator Credentials, region string) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(r.Body))
	if err == nil {
		err = r.Sign(ctx, req, administrator, region)
	}
	if err != nil {
		panic(err) // static credentials and an address that is one
	}
	req.GetBody = nil // net/http must not send it a second time by itself
	resp, err := client.Do(req)
	if err != nil {
		return Answer{Lost: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Answer{Lost: err != nil, Status: resp.StatusCode, RequestID: resp.Header.Get("x-amzn-RequestId"), Body: body}
}

// protocol is how the bodies of a service look.
type protocol struct {
	encode    func(operation string, request m) ([]byte, error)
	decode    func(body []byte, into any) error
	exception func(body []byte) (code string, err error)
}

var protocols = map[string]protocol{
	"kms": {encode: encodeJSON, decode: json.Unmarshal, exception: exceptionJSON},
	"iam": {encode: encodeForm, decode: xml.Unmarshal, exception: exceptionXML},
}

func encodeJSON(_ string, request m) ([]byte, error) { return json.Marshal(request) }

func encodeForm(operation string, request m) ([]byte, error) {
	form := url.Values{"Action": {operation}, "Version": {"2010-05-08"}}
	for name, value := range request {
		form.Set(name, fmt.Sprint(value))
	}
	return []byte(form.Encode()), nil
}

func exceptionJSON(body []byte) (string, error) {
	var e struct {
		Type string `json:"__type"`
	}
	err := json.Unmarshal(body, &e)
	return e.Type, err
}

func exceptionXML(body []byte) (string, error) {
	var e struct {
		Code string `xml:"Error>Code"`
	}
	err := xml.Unmarshal(body, &e)
	return e.Code, err
}
