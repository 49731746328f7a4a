package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keepKeys is how long a provider's keys are used before they are asked for
	// again: so long a key that the provider withdraws still counts.
	keepKeys = 10 * time.Minute
	// askAgain is how soon they are asked for again because of an unknown key: a
	// provider that has rotated is understood at once, and nobody floods it.
	askAgain = 10 * time.Second
	// fetchTimeout bounds one request to a provider.
	fetchTimeout = 3 * time.Second
	// maxAnswer bounds what a provider answers, in bytes.
	maxAnswer = 512 << 10
	// maxProviders bounds the providers whose keys are kept.
	maxProviders = 1024
)

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]*published // by URL and thumbprints
}

// published are the keys of a provider.
type published struct {
	mu      sync.Mutex // held while they are fetched
	keys    []jose.JSONWebKey
	fetched time.Time
}

// New makes a verifier; now is the clock, nil means time.Now.
func New(now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{now: now, known: map[string]*published{}}
}

// keysOf answers the keys of a provider that a key ID may mean: all, where the
// token names none.
func (v *Verifier) keysOf(ctx context.Context, p Provider, id string) ([]jose.JSONWebKey, error) {
	k := v.published(p)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := v.now()
	found := matching(k.keys, id)
	age := now.Sub(k.fetched)
	if k.keys == nil || age >= keepKeys || len(found) == 0 && age >= askAgain {
		keys, err := fetch(ctx, p)
		if err != nil {
			return nil, err
		}
		k.keys, k.fetched = keys, now
		found = matching(keys, id)
	}
	return found, nil
}

func (v *Verifier) published(p Provider) *published {
	name := p.URL + " " + strings.Join(p.Thumbprints, " ")
	v.mu.Lock()
	defer v.mu.Unlock()
	if k := v.known[name]; k != nil {
		return k
	}
	if len(v.known) >= maxProviders {
		clear(v.known)
	}
	k := &published{}
	v.known[name] = k
	return k
}

func matching(keys []jose.JSONWebKey, id string) []jose.JSONWebKey {
	if id == "" {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k jose.JSONWebKey) bool { return k.KeyID != id })
}

// fetch reads a provider's configuration and its keys (OpenID Connect Discovery
// 1.0 §4, RFC 7517 §5).
func fetch(ctx context.Context, p Provider) ([]jose.JSONWebKey, error) {
	client := p.client()
	defer client.CloseIdleConnections()
	var configuration struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := get(ctx, client, "https://"+p.URL+"/.well-known/openid-configuration", &configuration); err != nil {
		return nil, err
	}
	if strings.TrimSuffix(configuration.Issuer, "/") != "https://"+p.URL {
		return nil, fmt.Errorf("%w: it says that it is %q", ErrProvider, configuration.Issuer)
	}
	var set jose.JSONWebKeySet
	if err := get(ctx, client, configuration.Keys, &set); err != nil {
		return nil, err
	}
	return append([]jose.JSONWebKey{}, set.Keys...), nil
}

func get(ctx context.Context, client *http.Client, url string, into any) error {
	if !strings.HasPrefix(url, "https://") {
		return fmt.Errorf("%w: %q is no https URL", ErrProvider, url)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", ErrProvider, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	return nil
}
