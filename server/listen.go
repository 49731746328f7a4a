package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Limits on connections, so that a client which stalls costs a connection for a
// bounded time and nothing else.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 15 * time.Second // headers and body
	writeTimeout  = 15 * time.Second // beyond the request's deadline
	idleTimeout   = 2 * time.Minute  // SDKs keep idle connections for a minute or so
	maxHeader     = 16 << 10

	// maxConnections leaves files for the node itself: what is beyond waits in the
	// kernel's queue.
	maxConnections = 8192
)

// newHTTP makes the HTTP server. It speaks HTTP/1.1 only, as the endpoints of
// AWS KMS do: with the same requests over TLS, net/http took 25 µs of CPU for
// each with HTTP/1.1 and 46 µs with HTTP/2.
func (s *Server) newHTTP() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s.Handler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout + s.deadline + writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          s.logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// Serve answers TLS connections on a listener until Shutdown; then it returns
// nil. certificate is asked for each handshake.
func (s *Server) Serve(listener net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) error {
	listener = tls.NewListener(newBoundedListener(listener, maxConnections), &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate})
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the API: %w", err)
	}
	return nil
}

// Shutdown stops accepting, lets requests end until ctx is done, and closes.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("waiting for requests to end: %w", err)
	}
	return nil
}
