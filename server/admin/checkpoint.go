package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
)

// keyDetails are the serviceEventDetails of a node's new key.
type keyDetails struct {
	Node        string `json:"node"`
	VerifierKey string `json:"verifierKey"` // C2SP signed-note
}

// KeyEvent makes the records of nodes' new keys for checkpoints; see
// cluster.Config. Since each checkpoint behind it is signed by a majority, so is
// the key.
func KeyEvent(region string, now func() time.Time) func(view fsm.View, node, verifierKey string) ([]byte, error) {
	return func(view fsm.View, node, verifierKey string) ([]byte, error) {
		c := &call.Call{}
		if err := recipient(c, view); err != nil {
			return nil, err
		}
		return record.Service(record.ServiceEvent{
			Service: record.AdminService, Name: "RegisterLedgerKey", EventID: uuid.NewString(), Time: now(), Region: region,
			AccountID: c.Principal.AccountID, InvokedBy: record.AdminService,
			Details: keyDetails{Node: node, VerifierKey: verifierKey},
		})
	}
}

// checkpoint answers the published checkpoint, a signed note.
func (s *Server) checkpoint(w http.ResponseWriter, _ *http.Request) {
	note, err := s.cfg.Node.Checkpoint()
	text(w, note, err)
}

// keys answers the verifier keys of the members, one a line.
func (s *Server) keys(w http.ResponseWriter, _ *http.Request) {
	keys, err := s.cfg.Node.VerifierKeys()
	text(w, []byte(strings.Join(append(keys, ""), "\n")), err)
}

// text writes an answer that is no JSON, as the API has it (package audit).
func text(w http.ResponseWriter, body []byte, err error) {
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(body) // the operator has gone
}

// declareEpoch begins a new epoch of the ledger.
func (s *Server) declareEpoch(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Deadline)
	defer cancel()
	event, err := s.event(r, "DeclareLedgerEpoch")
	if err == nil {
		err = s.cfg.Node.DeclareEpoch(ctx, event)
	}
	answer(w, struct{}{}, err)
}

// event is the record of an act that the cluster commits by itself.
func (s *Server) event(r *http.Request, operation string) ([]byte, error) {
	c := newCall(uidOf(r), r.UserAgent(), s.cfg.Region, s.cfg.Now())
	if err := recipient(c, s.cfg.Node.View()); err != nil {
		return nil, err
	}
	c.Operation = operation
	return record.Encode(c, nil)
}
