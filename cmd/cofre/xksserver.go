package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/xksproxy"
)

// proxyCredential is the file that the console of AWS KMS takes ("XKS proxy
// configuration in AWS KMS console" in the External Key Store Proxy API Specification).
type proxyCredential struct {
	XksProxyURIPath                  string `json:"XksProxyUriPath"`
	XksProxyAuthenticationCredential struct {
		AccessKeyID        string `json:"AccessKeyId"`
		RawSecretAccessKey string
	}
}

// openXKSServer opens the port for AWS KMS, where there is to be one.
func (d *daemon) openXKSServer(context.Context) error {
	cfg := d.cfg.XKSServer
	if cfg.Listen == "" {
		return nil
	}
	stores, err := proxyStores(cfg.Stores)
	if err != nil {
		return err
	}
	certificate := d.certificate.get
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return fmt.Errorf("reading xks_server.cert_file and xks_server.key_file: %w", err)
		}
		certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("opening xks_server.listen: %w", err)
	}
	logger := d.logger.Named("xks")
	s := &http.Server{
		Handler: xksproxy.New(xksproxy.Config{
			Node: d.node, Keys: d.kms, Stores: stores, Deadline: time.Duration(d.cfg.API.RequestTimeout), MaxInFlight: d.cfg.API.MaxInFlight,
			Dated: d.clock.now, Logger: logger, Version: readBuild().version,
		}),
		ReadTimeout: 15 * time.Second, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	d.onStop("the port for AWS KMS", s.Shutdown)
	d.run(func() error {
		err := s.Serve(tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate}))
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving AWS KMS: %w", err)
		}
		return nil
	})
	return nil
}

// proxyStores reads the credentials of all stores.
func proxyStores(configured []config.XKSStore) ([]xksproxy.Store, error) {
	var stores []xksproxy.Store
	for _, c := range configured {
		s := xksproxy.Store{Account: c.Account, Region: c.Region, User: c.User, AWSRegions: c.AWSRegions, Secrets: map[string][]byte{}}
		for _, name := range c.Credentials {
			file, err := readProxyCredential(name)
			if err != nil {
				return nil, err
			}
			if s.Path != "" && s.Path != file.XksProxyURIPath {
				return nil, fmt.Errorf("%s: XksProxyUriPath is not that of the other file", name)
			}
			s.Path = file.XksProxyURIPath
			s.Secrets[file.XksProxyAuthenticationCredential.AccessKeyID] = []byte(file.XksProxyAuthenticationCredential.RawSecretAccessKey)
		}
		for _, other := range stores {
			if other.Path == s.Path {
				return nil, fmt.Errorf("xks_server: the path %s is there twice", s.Path)
			}
		}
		stores = append(stores, s)
	}
	return stores, nil
}

func readProxyCredential(name string) (*proxyCredential, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the credential of a key store: %w", err)
	}
	defer clear(text)
	file := new(proxyCredential)
	if json.Unmarshal(text, file) != nil { // its error may hold what the file holds
		return nil, fmt.Errorf("%s is not the JSON of an XKS proxy configuration file", name)
	}
	secret := file.XksProxyAuthenticationCredential
	switch n := len(secret.RawSecretAccessKey); {
	case !strings.HasPrefix(file.XksProxyURIPath, "/") || !strings.HasSuffix(file.XksProxyURIPath, "/kms/xks/v1"):
		return nil, fmt.Errorf("%s: XksProxyUriPath does not begin with / and end with /kms/xks/v1", name)
	case len(secret.AccessKeyID) < 20 || len(secret.AccessKeyID) > 30 || strings.Trim(secret.AccessKeyID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "":
		return nil, fmt.Errorf("%s: AccessKeyId is not 20 to 30 of A-Z and 2-7", name)
	case n < 43 || n > 64:
		return nil, fmt.Errorf("%s: RawSecretAccessKey has not 43 to 64 characters", name)
	}
	return file, nil
}
