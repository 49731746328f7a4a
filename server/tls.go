package server

import (
	"crypto/tls"
	"net/http"

	"github.com/cofre-kms/cofre/ledger"
)

// tlsDetails is what the record says of a request's connection, nil where it was
// not encrypted.
func tlsDetails(r *http.Request) *ledger.TLSDetails {
	if r.TLS == nil {
		return nil
	}
	return &ledger.TLSDetails{
		TLSVersion:               tlsVersion(r.TLS.Version),
		CipherSuite:              cipherSuites[r.TLS.CipherSuite],
		ClientProvidedHostHeader: r.Host,
		KeyExchange:              keyExchange(r.TLS.CurveID),
	}
}

// cipherSuites names the suites as tls.CipherSuiteName does, which makes a list
// of all of them for each call.
var cipherSuites = func() map[uint16]string {
	names := make(map[uint16]string)
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		names[suite.ID] = suite.Name
	}
	return names
}()

// tlsVersion names a version as CloudTrail does.
func tlsVersion(version uint16) string {
	switch version {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return tls.VersionName(version)
}

// keyExchange names a group as the TLS registry does ("TLS Supported Groups",
// IANA), "" where the connection has none.
func keyExchange(curve tls.CurveID) string {
	switch curve {
	case 0:
		return ""
	case tls.X25519:
		return "x25519"
	case tls.CurveP256:
		return "secp256r1"
	case tls.CurveP384:
		return "secp384r1"
	case tls.CurveP521:
		return "secp521r1"
	}
	return curve.String() // X25519MLKEM768, …
}
