package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Errors that tokens are refused with.
var (
	// ErrToken is returned for what is no ID token, or is not signed by its issuer.
	ErrToken = errors.New("oidc: not a valid ID token")
	// ErrExpired is returned for a token whose time is over.
	ErrExpired = errors.New("oidc: the token has expired")
	// ErrProvider is returned when a provider's keys cannot be had.
	ErrProvider = errors.New("oidc: the provider does not answer")
)

// Provider is who may issue tokens.
type Provider struct {
	URL string // without https://
	// Thumbprints are SHA-1 fingerprints, in hex, of certificates that are trusted
	// to certify the provider besides the system's.
	Thumbprints []string
}

// Token is what a verified token says.
type Token struct {
	Issuer   string // as written: with https://
	Subject  string
	Audience []string
	Party    string // azp: the authorized party, which counts before the audience
	Methods  []string
	Expires  time.Time
}

// Recipient is the client that a token was issued to ("Available keys for AWS
// OIDC federation", IAM user guide: aud).
func (t *Token) Recipient() string {
	if t.Party != "" {
		return t.Party
	}
	if len(t.Audience) > 0 {
		return t.Audience[0]
	}
	return ""
}

// algorithms are those that a token may be signed with: asymmetric ones only,
// since what a provider publishes are public keys (RFC 8725 §3.1).
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// maxToken is the longest token, in characters (WebIdentityToken, STS API
// reference).
const maxToken = 20000

// Issuer answers the provider that a token claims to be from, without https://.
// Nothing is verified.
func Issuer(raw string) (string, error) {
	parsed, err := parse(raw)
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	issuer, secure := strings.CutPrefix(claims.Issuer, "https://")
	if !secure {
		return "", fmt.Errorf("%w: its issuer is no https URL", ErrToken)
	}
	return strings.TrimSuffix(issuer, "/"), nil
}

func parse(raw string) (*jwt.JSONWebToken, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("%w: %d characters", ErrToken, len(raw))
	}
	parsed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return parsed, nil
}

// claims are those of an ID token (OpenID Connect Core 1.0 §2).
type claims struct {
	jwt.Claims
	Party   string  `json:"azp"`
	Methods methods `json:"amr"`
}

// methods are authentication methods: a list, or with some providers one string.
type methods []string

// UnmarshalJSON implements json.Unmarshaler.
func (m *methods) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*m = methods{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(m))
}

// Verify verifies a token of a provider. Whom it was issued to is the caller's to
// look at.
func (v *Verifier) Verify(ctx context.Context, p Provider, raw string) (*Token, error) {
	parsed, err := parse(raw)
	if err != nil {
		return nil, err
	}
	keys, err := v.keysOf(ctx, p, parsed.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	var said claims
	if err := verify(parsed, keys, &said); err != nil {
		return nil, err
	}
	if strings.TrimSuffix(strings.TrimPrefix(said.Issuer, "https://"), "/") != p.URL || said.Subject == "" || said.Expiry == nil {
		return nil, fmt.Errorf("%w: it lacks iss, sub or exp", ErrToken)
	}
	now := v.now()
	if !now.Before(said.Expiry.Time()) {
		return nil, ErrExpired
	}
	if err := said.ValidateWithLeeway(jwt.Expected{Time: now}, leeway); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return &Token{
		Issuer: said.Issuer, Subject: said.Subject, Audience: said.Audience, Party: said.Party, Methods: said.Methods, Expires: said.Expiry.Time(),
	}, nil
}

// leeway is how far the provider's clock may be ahead.
const leeway = 5 * time.Minute

// verify tries the keys that the token's key ID may mean.
func verify(parsed *jwt.JSONWebToken, keys []jose.JSONWebKey, said *claims) error {
	for i := range keys {
		if !keys[i].IsPublic() {
			continue
		}
		if parsed.Claims(keys[i].Key, said) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: its signature verifies under none of %d keys", ErrToken, len(keys))
}
