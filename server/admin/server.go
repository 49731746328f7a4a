package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rest"
)

// Node is what the operators' door asks of the cluster; *cluster.Node is one.
type Node interface {
	// Transact commits what run read, wrote and recorded; see cluster.Node.
	Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (index uint64, err error)
	// View is this node's applied state.
	View() fsm.View
	// Checkpoint is the published checkpoint of the ledger.
	Checkpoint() ([]byte, error)
	// VerifierKeys are the members' keys for checkpoints.
	VerifierKeys() ([]string, error)
	// DeclareEpoch begins a new epoch of the ledger and commits the event with that.
	DeclareEpoch(ctx context.Context, event []byte) error
	// Status describes the node.
	Status() cluster.Status
	// Backup commits the event and streams a copy of state and ledger.
	Backup(ctx context.Context, event []byte, w io.Writer) error
}

// Ledger reads this node's ledger; *fsm.Store is one.
type Ledger interface {
	// Events calls fn with the records from a position on; see fsm.Store.
	Events(from int64, fn func(position int64, event []byte) (bool, error)) error
	// Status describes the applied state.
	Status() fsm.Status
}

// Config configures a Server.
type Config struct {
	Node   Node
	Ledger Ledger
	// API answers the operations of package operator; Principal says who calls.
	API http.Handler
	// Version is the release that the node runs.
	Version string
	// Region is the awsRegion of operators' records.
	Region string
	// Deadline is how long a request may take; 0 means 30 s.
	Deadline time.Duration
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Logger hclog.Logger
}

// Server answers operators. It is safe for concurrent use.
type Server struct {
	cfg  Config
	http *http.Server
	ctx  context.Context // of all requests
	stop context.CancelFunc
}

// New makes a server.
func New(cfg Config) *Server {
	if cfg.Deadline == 0 {
		cfg.Deadline = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: s.Handler(), ConnContext: withPeer, BaseContext: func(net.Listener) context.Context { return s.ctx }, ReadTimeout: cfg.Deadline,
		ErrorLog: cfg.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	return s
}

// Listen opens the socket at path with mode 0600. A socket that a dead process
// left behind is replaced; one that answers is not.
func Listen(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("opening the admin socket: %s is in use", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replacing the admin socket: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the admin socket: %w", err), listener.Close())
	}
	return listener, nil
}

// Serve answers connections on a listener until Shutdown; then it returns nil.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the admin socket: %w", err)
	}
	return nil
}

// endGrace is how long a request goes on when the server is told to stop. What
// waits for a quorum is then told that there is none.
const endGrace = 3 * time.Second

// Shutdown stops accepting, lets requests end for a while, and closes.
func (s *Server) Shutdown(ctx context.Context) error {
	defer time.AfterFunc(endGrace, s.stop).Stop()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("waiting for operators' requests to end: %w", err)
	}
	return nil
}

// Handler answers the requests on the socket. What a node says of itself needs no
// quorum here and leaves no record.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	if s.cfg.API != nil {
		mux.Handle("/v1/", s.cfg.API)
	}
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("POST /v1/backups", s.backup)
	mux.HandleFunc("GET /v1/ledger/records", s.records)
	mux.HandleFunc("GET /v1/ledger/head", s.head)
	mux.HandleFunc("GET /v1/ledger/log/checkpoint", s.checkpoint)
	mux.HandleFunc("GET /v1/ledger/keys", s.keys)
	mux.HandleFunc("POST /v1/ledger/epochs", s.declareEpoch)
	s.routeTests(mux)
	return mux
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, operator.Status{Status: s.cfg.Node.Status(), Version: s.cfg.Version}, nil)
}

// answer writes a response, or why there is none.
func answer(w http.ResponseWriter, response any, err error) {
	status := http.StatusOK
	if err != nil {
		refusal := &call.Error{Code: "ServiceUnavailable", Message: err.Error(), Status: http.StatusServiceUnavailable}
		_ = errors.As(err, &refusal)
		refusal = rest.Translate(refusal)
		status = refusal.Status
		response = rest.Failure{Error: rest.Problem{Code: refusal.Code, Message: refusal.Message}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(response) // the operator has gone; what was committed stays
}
