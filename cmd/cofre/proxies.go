package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/xks"
)

// proxyClient makes the client of the external key store proxies that are
// configured. Its files are read at start.
func proxyClient(cfg *config.Config) (*xks.Client, error) {
	routes := make([]xks.Route, 0, len(cfg.XKS.Proxies))
	for _, p := range cfg.XKS.Proxies {
		r := xks.Route{Endpoint: p.Endpoint, VPCService: p.VPCEndpointService, Address: p.Address}
		if p.CAFile != "" {
			file, err := os.ReadFile(p.CAFile)
			if err != nil {
				return nil, fmt.Errorf("reading the ca_file of %s: %w", p.Endpoint, err)
			}
			r.Roots = x509.NewCertPool()
			if !r.Roots.AppendCertsFromPEM(file) {
				return nil, fmt.Errorf("the ca_file of %s holds no certificate", p.Endpoint)
			}
		}
		if p.CertFile != "" {
			certificate, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("reading the cert_file and key_file of %s: %w", p.Endpoint, err)
			}
			r.Certificate = &certificate
		}
		routes = append(routes, r)
	}
	return xks.New(xks.Config{Routes: routes, Timeout: time.Duration(cfg.XKS.Timeout)}), nil
}
