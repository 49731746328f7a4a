package server

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

// restProtocol is the protocol of Cofre's own API.
type restProtocol struct {
	prefix string
	table  *rest.Table
}

// REST is the protocol of package rest; prefix begins the paths of all routes,
// and of no other service: "/v1/".
func REST(prefix string, routes []rest.Route) Protocol {
	return &restProtocol{prefix, rest.NewTable(routes)}
}

func (p *restProtocol) operation(r *http.Request, _ []byte) (string, bool) {
	if !p.likely(r) {
		return "", false
	}
	if m := p.table.Find(r); m != nil {
		return m.Spec.Name, true
	}
	return "", true
}

func (p *restProtocol) likely(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, p.prefix) }

func (p *restProtocol) input(r *http.Request, body []byte) ([]byte, error) {
	return p.table.Find(r).Input(r.URL.RawQuery, body)
}

func (*restProtocol) exception(e *call.Error) *call.Error { return rest.Translate(e) }

var contentTypePlainJSON = []string{"application/json"}

func (*restProtocol) contentType(response any) []string {
	if raw, ok := response.(*rest.Raw); ok {
		return []string{raw.ContentType}
	}
	return contentTypePlainJSON
}

func (*restProtocol) encode(a *answerBody, _, _ string, response any) error {
	switch response := response.(type) {
	case nil:
		a.buf.WriteString("{}\n")
		return nil
	case *rest.Raw:
		a.buf.Write(response.Body)
		return nil
	}
	return a.enc.Encode(response)
}

func (*restProtocol) encodeException(a *answerBody, requestID string, e *call.Error) {
	_ = a.enc.Encode(rest.Failure{Error: rest.Problem{Code: e.Code, Message: e.Message, RequestID: requestID}}) // strings: it cannot fail
}

// stalledAfter is how long a client of a stream may take to read a piece.
const stalledAfter = 30 * time.Second

// stream writes an answer piece by piece. Its record is committed.
func (s *Server) stream(w http.ResponseWriter, x *exchange, answer *rest.Stream) {
	s.header(w, x, []string{answer.ContentType})
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request has been read; what the connection lacks here, it does not need
	w.WriteHeader(http.StatusOK)
	err := answer.Copy(x.request.Context(), &pieces{w, control})
	s.note(x, http.StatusOK, codeOK, nil)
	if err != nil {
		if s.alarms.allow(x.start) {
			s.logger.Warn("answer broken off", x.fields(codeOK, s.now().Sub(x.start), "error", err)...)
		}
		panic(http.ErrAbortHandler) // the client must not take it for the end
	}
}

// pieces writes each piece before a deadline of its own.
type pieces struct {
	io.Writer
	control *http.ResponseController
}

func (p *pieces) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(stalledAfter))
	n, err := p.Writer.Write(b)
	if err == nil {
		_ = p.control.Flush()
	}
	return n, err
}
