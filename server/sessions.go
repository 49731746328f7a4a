package server

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/sigv4"
)

// maxSessions bounds the opened session tokens in memory.
const maxSessions = 8192

// sessions keeps opened tokens: the HSM opens each once. A token is kept until
// twice limit others have come since it was last used. It is safe for concurrent use.
type sessions struct {
	limit int
	mu    sync.Mutex
	young map[string]*identity.Session
	old   map[string]*identity.Session
}

func newSessions(limit int) *sessions {
	return &sessions{limit: limit, young: make(map[string]*identity.Session)}
}

func (s *sessions) get(token string) *identity.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session := s.young[token]; session != nil {
		return session
	}
	session := s.old[token]
	if session != nil {
		s.add(token, session)
	}
	return session
}

func (s *sessions) put(token string, session *identity.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(strings.Clone(token), session) // the request's header is not to be kept
}

// add needs mu.
func (s *sessions) add(token string, session *identity.Session) {
	if len(s.young) >= s.limit {
		s.old, s.young = s.young, make(map[string]*identity.Session, s.limit)
	}
	s.young[token] = session
}

// temporary finds the session that a claim's token stands for, and the key that
// its requests are signed with.
func (a *authenticator) temporary(ctx context.Context, claim *sigv4.Claim) (*caller, *sigv4.SigningKey, error) {
	if claim.Token == "" {
		return nil, nil, &unauthenticated{sigv4.ErrUnrecognized}
	}
	session := a.sessions.get(claim.Token)
	if session == nil {
		var err error
		session, err = a.identity.OpenSession(ctx, a.node.View(), claim.Token)
		if errors.Is(err, identity.ErrToken) {
			return nil, nil, &unauthenticated{sigv4.ErrUnrecognized}
		}
		if err != nil {
			return nil, nil, err
		}
		a.sessions.put(claim.Token, session)
	}
	switch {
	case session.AccessKeyID != claim.AccessKeyID:
		return nil, nil, &unauthenticated{sigv4.ErrUnrecognized}
	case session.Expired(a.now()):
		return nil, nil, &unauthenticated{sigv4.ErrExpired}
	}
	signingKey := a.keys.Get(claim, 0)
	if signingKey == nil {
		signingKey = sigv4.Derive(session.Secret, claim)
		a.keys.Put(claim, 0, signingKey)
	}
	return &caller{claim: claim, session: session}, signingKey, nil
}
