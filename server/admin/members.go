package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
)

// The cluster changes its membership by transactions of its own. The operators'
// door gives it the record that each commits with.

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) {
	req := new(NewToken)
	if !decode(w, r, req) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Deadline)
	defer cancel()
	token, err := s.token(ctx, s.call(r), req)
	answer(w, token, err)
}

const maxTokenHours = 168

// token makes a join token.
func (s *Server) token(ctx context.Context, c *call.Call, req *NewToken) (*Token, error) {
	if req.Hours < 1 || req.Hours > maxTokenHours {
		return nil, call.Errorf("ValidationException", "A join token is valid for 1 to %d hours.", maxTokenHours)
	}
	event, err := s.event(c, "CreateJoinToken", tokenParameters{req.Hours})
	if err != nil {
		return nil, err
	}
	token, err := s.cfg.Node.Token(ctx, time.Duration(req.Hours)*time.Hour, event)
	return &Token{Token: token}, err
}

func (s *Server) removeMember(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Deadline)
	defer cancel()
	answer(w, struct{}{}, s.remove(ctx, s.call(r), r.PathValue("name")))
}

// remove takes a member out of the cluster. A name that is no member's changes
// and records nothing.
func (s *Server) remove(ctx context.Context, c *call.Call, name string) error {
	event, err := s.event(c, "RemoveMember", memberParameters{name})
	if err != nil {
		return err
	}
	if err := s.cfg.Node.Remove(ctx, name, event); errors.Is(err, cluster.ErrNoMember) {
		return call.Errorf("NotFoundException", "No member is called %q.", name)
	} else if err != nil {
		return err
	}
	return nil
}

// event is the record of an act that the cluster commits.
func (s *Server) event(c *call.Call, operation string, parameters any) ([]byte, error) {
	if err := recipient(c, s.cfg.Node.View()); err != nil {
		return nil, err
	}
	c.Operation, c.Record.Parameters = operation, parameters
	return record.Encode(c, nil)
}
