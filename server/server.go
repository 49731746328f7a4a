package server

import (
	"cmp"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rate"
	"github.com/cofre-kms/cofre/server/sigv4"
)

// Service is an AWS service.
type Service struct {
	// Name is the service's name in credential scopes: "kms".
	Name string
	// Region is the only region of a service that has one for all: IAM's
	// credentials are scoped to us-east-1 wherever it is called from. Empty: the
	// service is in every region of the cluster.
	Region string
	// Protocol is how its requests and answers look.
	Protocol Protocol
	// Operations is the table of its API.
	Operations []call.Operation
}

// Config configures a Server.
type Config struct {
	Node Node
	// Identity says who access keys stand for; *identity.Service does.
	Identity Identity
	// Services are those that are served; the first is the one that a request
	// without a valid target is taken to be meant for.
	Services []Service
	// Regions are those that the cluster answers for.
	Regions []string
	// MaxBody is the largest request body in bytes; 0 means 256 KiB. The largest
	// request of the KMS API is a key policy of 32 KiB, which takes 192 KiB where
	// every byte of it is escaped.
	MaxBody int
	// MaxInFlight bounds the requests that are worked on at once; 0 means 1,024.
	// What is beyond is throttled.
	MaxInFlight int
	// Rates are the request-rate quotas of accounts; nil means none.
	Rates *rate.Limits
	// Deadline is how long a request may take from when it has been read; 0 means
	// 5 s. It is shorter than the SDKs' own, so that they see why.
	Deadline time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Dated is the clock that calls and their records are dated with; nil means
	// Now. Signatures are always held against Now.
	Dated  func() time.Time
	Logger hclog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// maxSigningKeys bounds the signing keys in memory (about 1 KB each): so many
// access keys can be in use at once on a node, times regions.
const maxSigningKeys = 16384

// maxLarge bounds the large bodies in memory at once.
const maxLarge = 64

// Server answers API requests. It is safe for concurrent use.
type Server struct {
	node     Node
	auth     *authenticator
	services []*service
	region   string // of requests that name none
	maxBody  int
	deadline time.Duration
	now      func() time.Time
	dated    func() time.Time
	logger   hclog.Logger
	metrics  *metrics
	noise    limiter // of log lines that strangers can cause
	alarms   limiter // of log lines about failures
	rates    *rate.Limits
	uses     keyUses
	busy     gate // requests being worked on
	large    gate // large bodies in memory
	http     *http.Server
}

// service is a Service with its operations by name.
type service struct {
	name       string
	protocol   Protocol
	scope      sigv4.Scope
	operations map[string]*operation
	unknown    *operation // what stands in for all that are not in the table
}

// operation is a row of the table with its figures.
type operation struct {
	*call.Operation
	service *service
	figures
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	s := &Server{
		node:     cfg.Node,
		maxBody:  cmp.Or(cfg.MaxBody, 256<<10),
		busy:     gate{limit: int64(cmp.Or(cfg.MaxInFlight, 1024))},
		large:    gate{limit: maxLarge},
		deadline: cmp.Or(cfg.Deadline, 5*time.Second),
		now:      cfg.Now,
		dated:    cfg.Dated,
		logger:   cfg.Logger,
		rates:    cfg.Rates,
	}
	if len(cfg.Regions) > 0 {
		s.region = cfg.Regions[0]
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.dated == nil {
		s.dated = s.now
	}
	s.auth = &authenticator{
		node: cfg.Node, identity: cfg.Identity, keys: sigv4.NewKeys(maxSigningKeys),
		sessions: newSessions(maxSessions), now: s.now,
		verifier: sigv4.New(sigv4.Config{Regions: cfg.Regions, Now: s.now}),
	}
	s.metrics = newMetrics(&s.busy.inside)
	if cfg.Metrics != nil {
		if err := s.metrics.register(cfg.Metrics); err != nil {
			return nil, err
		}
	}
	for _, svc := range cfg.Services {
		s.services = append(s.services, s.newService(svc))
	}
	s.http = s.newHTTP()
	return s, nil
}

func (s *Server) newService(cfg Service) *service {
	svc := &service{name: cfg.Name, protocol: cfg.Protocol, scope: sigv4.Scope{Service: cfg.Name, Region: cfg.Region}, operations: make(map[string]*operation, len(cfg.Operations))}
	for i := range cfg.Operations {
		op := &cfg.Operations[i]
		svc.operations[op.Name] = &operation{Operation: op, service: svc, figures: s.metrics.figures(svc.name, op.Name)}
	}
	svc.unknown = &operation{
		Operation: refusing(unknownName, true, errUnknownOperation), service: svc, figures: s.metrics.figures(svc.name, unknownName),
	}
	return svc
}

// Handler answers all requests of the API port.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.handle) }

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		switch r.URL.Path {
		case "/healthz":
			healthy(w, r)
			return
		case "/readyz":
			s.ready(w, r)
			return
		}
	}
	s.serve(w, r)
}

// lookup finds the operation that a request names. A name that is in no table is
// answered with the row of the unknown.
func (s *Server) lookup(r *http.Request, body []byte) *operation {
	for _, svc := range s.services {
		name, ours := svc.protocol.operation(r, body)
		if !ours {
			continue
		}
		if op := svc.operations[name]; op != nil {
			return op
		}
		return svc.unknown
	}
	return s.guess(r)
}

// guess answers the unknown of the service that a request seems to be for, whose
// body is not read, or is nothing that names an operation.
func (s *Server) guess(r *http.Request) *operation {
	for _, svc := range s.services {
		if svc.protocol.likely(r) {
			return svc.unknown
		}
	}
	return s.services[0].unknown
}
