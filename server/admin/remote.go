package admin

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/server/record"
)

// Remote configures a client of the API port.
type Remote struct {
	Endpoint    string // "https://kms.example.com:8443"
	Region      string // of the credential scope; one that the cluster answers for
	Credentials aws.CredentialsProvider
	// Roots are the CAs that the node's certificate is held against; nil means the
	// system's.
	Roots     *x509.CertPool
	UserAgent string
}

// NewRemote makes a client of a node's API port.
func NewRemote(cfg Remote) (*Client, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("the endpoint is an URL such as https://kms.example.com:8443, not %q", cfg.Endpoint)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots}
	signer := v4.NewSigner()
	return &Client{
		base: "https://" + u.Host, userAgent: cfg.UserAgent, http: &http.Client{Transport: transport},
		sign: func(r *http.Request, body []byte) error {
			return sign(r.Context(), signer, &cfg, r, body)
		},
	}, nil
}

func sign(ctx context.Context, signer *v4.Signer, cfg *Remote, r *http.Request, body []byte) error {
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("finding credentials: %w", err)
	}
	hash := sha256.Sum256(body)
	if err := signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(hash[:]), record.AdminService, cfg.Region, time.Now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	return nil
}
