package xksproxy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/kms"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/sigv4"
	"github.com/cofre-kms/cofre/server/state"
	"github.com/cofre-kms/cofre/server/xks"
)

// Node is what the proxy asks of the cluster; *cluster.Node is one.
type Node interface {
	// Transact commits what run read, wrote and recorded as one instant on a quorum,
	// running it again while it conflicts.
	Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (index uint64, err error)
}

// Keys are the operations behind the proxy; *kms.Service has them.
type Keys interface {
	ProxyOperations() map[string]*call.Operation
	ProxyHealth(ctx context.Context, tx *fsm.Txn) error
}

// Config configures a Proxy.
type Config struct {
	Node Node
	Keys Keys
	// Stores are the paths that are served.
	Stores []Store
	// Deadline is how long a request may take; 0 means 5 s. AWS KMS itself waits
	// 250 ms.
	Deadline time.Duration
	// MaxInFlight bounds the requests that are worked on at once; 0 means 256. What is
	// beyond is throttled.
	MaxInFlight int
	// Now is the clock; nil means time.Now. Dated is the one that records are dated
	// with; nil means Now.
	Now, Dated func() time.Time
	Logger     hclog.Logger
	// Version names the release in answers to GetHealthStatus.
	Version string
}

// Store is a path and who AWS KMS is there.
type Store struct {
	// Path is what the key store in AWS KMS has as XksProxyUriPath.
	Path string
	// Account, Region and User say whose keys they are, and as which IAM user AWS KMS
	// uses them.
	Account, Region, User string
	// AWSRegions are those from which AWS KMS may call.
	AWSRegions []string
	// Secrets are the raw secret access keys by access key id: two while they are
	// rotated.
	Secrets map[string][]byte
}

// maxBody is more than the longest request, in bytes: AAD and ciphertext in base64.
const maxBody = 64 << 10

// Proxy answers requests of AWS KMS. It is safe for concurrent use.
type Proxy struct {
	cfg        Config
	operations map[string]*call.Operation
	stores     []store
	slots      chan struct{}
}

type store struct {
	Store
	verifier *sigv4.Verifier
}

// New makes a proxy.
func New(cfg Config) *Proxy {
	cfg.Deadline = cmp.Or(cfg.Deadline, 5*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dated == nil {
		cfg.Dated = cfg.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	p := &Proxy{cfg: cfg, operations: cfg.Keys.ProxyOperations(), slots: make(chan struct{}, cmp.Or(cfg.MaxInFlight, 256))}
	for _, s := range cfg.Stores {
		p.stores = append(p.stores, store{Store: s, verifier: sigv4.New(sigv4.Config{Regions: s.AWSRegions, Now: cfg.Now})})
	}
	return p
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := p.answer(r)
	status := http.StatusOK
	if err != nil {
		f := p.failure(r, err)
		status, answer = f.status, xks.ErrorResponse{Name: f.name, Message: f.message}
	}
	text, err := json.Marshal(answer)
	if err != nil { // none of the answers fails to encode
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer clear(text)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func (p *Proxy) answer(r *http.Request) (any, error) {
	if r.Method != http.MethodPost {
		return nil, errMethod
	}
	s, rest := p.find(r.URL.Path)
	if s == nil {
		return nil, errPath
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		return nil, errThrottled
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	defer clear(body)
	if err != nil || len(body) > maxBody {
		return nil, errInvalid
	}
	if err := s.authenticate(r, body); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.cfg.Deadline)
	defer cancel()
	if rest == "/health" {
		return p.health(ctx, s, body)
	}
	key, verb, ok := strings.Cut(strings.TrimPrefix(rest, "/keys/"), "/")
	op := p.operations[verb]
	if !ok || op == nil || !strings.HasPrefix(rest, "/keys/") || !validID(key) {
		return nil, errPath
	}
	request, err := decode(key, verb, body)
	if err != nil {
		return nil, err
	}
	return p.perform(ctx, r, s, op, request)
}

// find answers the store of a path, and what follows it.
func (p *Proxy) find(path string) (*store, string) {
	for i := range p.stores {
		if rest, ok := strings.CutPrefix(path, p.stores[i].Path); ok && strings.HasPrefix(rest, "/") {
			return &p.stores[i], rest
		}
	}
	return nil, ""
}

// validID says whether an external key id is one of the specification's.
func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 128 && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}) < 0
}

// authenticate verifies the signature of a request (appendix A).
func (s *store) authenticate(r *http.Request, body []byte) error {
	claim, refusal := s.verifier.Claim(r, sigv4.Scope{Service: xks.Service})
	if refusal != nil {
		return errUnauthenticated
	}
	secret, known := s.Secrets[claim.AccessKeyID]
	if !known || claim.Verify(r, sha256.Sum256(body), sigv4.Derive(secret, claim)) != nil {
		return errUnauthenticated
	}
	return nil
}

// perform runs an operation as the store's user, and answers once it is committed.
func (p *Proxy) perform(ctx context.Context, r *http.Request, s *store, op *call.Operation, request *kms.Proxied) (any, error) {
	c := call.Call{
		Service: "kms", RequestID: uuid.NewString(), EventID: uuid.NewString(), Time: p.cfg.Dated(), Region: s.Region,
		SourceIP: sourceIP(r.RemoteAddr), UserAgent: r.UserAgent(),
	}
	var response any
	var refusal *call.Error
	_, err := p.cfg.Node.Transact(ctx, s.Account, func(tx *fsm.Txn) error {
		user, err := state.Users.Get(tx, s.Account, strings.ToLower(s.User))
		if err != nil {
			return err
		}
		if user == nil {
			return errNoUser
		}
		c.Principal = call.Principal{
			Type: "IAMUser", AccountID: user.AccountID, ARN: user.ARN(), PrincipalID: user.ID, UserName: user.Name,
		}
		response, refusal, err = record.Perform(ctx, tx, &c, op, request)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case refusal != nil:
		return nil, refusal
	}
	return response, nil
}

// health is deep: it commits, and works with the partition.
func (p *Proxy) health(ctx context.Context, s *store, body []byte) (any, error) {
	var req xks.MetadataRequest
	if json.Unmarshal(body, &req) != nil || req.RequestMetadata.KMSRequestID == "" || req.RequestMetadata.KMSOperation == "" {
		return nil, errInvalid
	}
	status := xks.Active
	_, err := p.cfg.Node.Transact(ctx, s.Account, func(tx *fsm.Txn) error { return p.cfg.Keys.ProxyHealth(ctx, tx) })
	if err != nil {
		p.cfg.Logger.Warn("health for AWS KMS", "error", err)
		status = xks.Unavailable
	}
	model := "Cofre " + p.cfg.Version
	return &xks.Health{
		FleetSize: 1, Vendor: "Cofre", Model: model, EKMVendor: "Cofre",
		EKMDetails: []xks.ManagerHealth{{ID: "cluster", Model: model, Status: status}},
	}, nil
}

var errNoUser = errors.New("xksproxy: the user of a store does not exist")

func sourceIP(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i >= 0 {
		remote = remote[:i]
	}
	return strings.Trim(remote, "[]")
}
