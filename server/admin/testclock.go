//go:build cofre_testclock

package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
)

// The test clock lets tests pass years: how far the clock of the services is
// ahead of the machines' is a record like any other, so that all nodes agree on
// it and none forgets it when it is killed. Releases are built without this file.

// TestClock is the record, one under the identifier "clock", and what the node
// answers: GET and POST /v1/test-clock.
type TestClock struct {
	Ahead time.Duration `cbor:"1,keyasint" json:"ahead"`
}

// NewTime asks for time to pass.
type NewTime struct {
	Passed time.Duration `json:"passed"`
}

const testClockID = "clock"

func testClocks() fsm.Table[TestClock] { return fsm.Table[TestClock]{Name: "test-clock"} }

// Ahead is how far the services' clock is ahead of the machine's.
func Ahead(view fsm.View) (time.Duration, error) {
	set, _, err := testClocks().Peek(view, testClockID)
	if err != nil || set == nil {
		return 0, err
	}
	return set.Ahead, nil
}

func (s *Server) routeTests(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/test-clock", s.testClock)
	mux.HandleFunc("POST /v1/test-clock", s.passTime)
}

func (s *Server) testClock(w http.ResponseWriter, _ *http.Request) {
	ahead, err := Ahead(s.cfg.Node.View())
	answer(w, TestClock{ahead}, err)
}

func (s *Server) passTime(w http.ResponseWriter, r *http.Request) {
	req := new(NewTime)
	if !decode(w, r, req) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Deadline)
	defer cancel()
	c := newCall(uidOf(r), r.UserAgent(), s.cfg.Region, s.cfg.Now())
	response, err := s.perform(ctx, c, passTime(), req)
	answer(w, response, err)
}

func decode(w http.ResponseWriter, r *http.Request, req any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(req); err != nil {
		answer(w, nil, call.Errorf("SerializationException", "The request is not valid: %v", err))
		return false
	}
	return true
}

// perform runs an operation as one transaction with its record.
func (s *Server) perform(ctx context.Context, c *call.Call, op *call.Operation, request any) (response any, err error) {
	var refusal *call.Error
	_, err = s.cfg.Node.Transact(ctx, record.AdminService, func(tx *fsm.Txn) error {
		if err := recipient(c, tx.View()); err != nil {
			return err
		}
		response, refusal, err = record.Perform(ctx, tx, c, op, request)
		return err
	})
	if err == nil && refusal != nil {
		err = refusal
	}
	return response, err
}

type timeParameters struct {
	Passed string `json:"passed"`
}

// passTime sets the clock ahead. It never goes back.
func passTime() *call.Operation {
	return &call.Operation{Name: "PassTime", Run: func(_ context.Context, tx *fsm.Txn, c *call.Call, request any) (any, error) {
		req := request.(*NewTime)
		c.Record.Parameters = timeParameters{req.Passed.String()}
		if req.Passed < 0 {
			return nil, call.Errorf("ValidationException", "Time does not go back.")
		}
		next := TestClock{req.Passed}
		set, err := testClocks().Get(tx, testClockID)
		if err != nil {
			return nil, err
		}
		if set != nil {
			next.Ahead += set.Ahead
		}
		return next, testClocks().Put(tx, &next, testClockID)
	}}
}

// PassTime sets the services' clock ahead and answers how far it is then.
func (c *Client) PassTime(ctx context.Context, d time.Duration) (clock TestClock, err error) {
	return clock, c.Call(ctx, http.MethodPost, "/v1/test-clock", NewTime{d}, &clock)
}

// TestClock answers how far the services' clock is ahead on the node.
func (c *Client) TestClock(ctx context.Context) (clock TestClock, err error) {
	return clock, c.Call(ctx, http.MethodGet, "/v1/test-clock", nil, &clock)
}
