package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/server/rest"
)

// answerBody is the memory that an answer is encoded in. It is wiped and used
// again: an answer may hold plaintext.
type answerBody struct {
	buf bytes.Buffer
	enc *json.Encoder
}

var answerBodies = sync.Pool{New: func() any {
	a := &answerBody{}
	a.enc = json.NewEncoder(&a.buf)
	a.enc.SetEscapeHTML(false)
	return a
}}

func (a *answerBody) free() {
	clear(a.buf.Bytes())
	if a.buf.Cap() <= largeBody {
		a.buf.Reset()
		answerBodies.Put(a)
	}
}

// Header values that never vary, shared by all answers.
var (
	// Answers hold secrets: nobody between server and client is to keep them.
	cacheControl = []string{"no-cache, no-store, must-revalidate, private"}
	expires      = []string{"0"}
	pragma       = []string{"no-cache"}
	closing      = []string{"close"}
	lengthZero   = []string{"0"}
)

// respond writes the answer and takes note of it.
func (s *Server) respond(w http.ResponseWriter, x *exchange, response any, err error) {
	if answer, ok := response.(*rest.Stream); ok && err == nil {
		s.stream(w, x, answer)
		return
	}
	a := answerBodies.Get().(*answerBody)
	defer a.free()
	protocol := x.op.service.protocol
	if err == nil {
		err = protocol.encode(a, x.op.Name, x.call.RequestID, response)
	}
	status, code := http.StatusOK, codeOK
	if err != nil {
		answer, _ := outcome(err)
		answer = protocol.exception(answer)
		status, code = answer.Status, answer.Code
		a.buf.Reset()
		protocol.encodeException(a, x.call.RequestID, answer)
		response = nil
	}
	s.header(w, x, protocol.contentType(response))
	s.write(w, status, a.buf.Bytes())
	s.note(x, status, code, err)
}

// header sets what all answers have.
func (s *Server) header(w http.ResponseWriter, x *exchange, contentType []string) {
	h := w.Header()
	h["x-amzn-RequestId"] = []string{x.call.RequestID} // in AWS's own spelling
	h["Content-Type"] = contentType
	h["Cache-Control"], h["Expires"], h["Pragma"] = cacheControl, expires, pragma
}

func (s *Server) write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Length"] = lengthZero
	if len(body) > 0 {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	if status == http.StatusRequestEntityTooLarge {
		h["Connection"] = closing // the rest of the body is not read
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; what was committed stays
}

// note counts an answer and logs what somebody may have to look into.
func (s *Server) note(x *exchange, status int, code string, err error) {
	took := s.now().Sub(x.start)
	x.op.observe(code, took)
	if refused := (*unauthenticated)(nil); errors.As(err, &refused) {
		s.metrics.unauthenticated.WithLabelValues(code).Inc()
		if s.noise.allow(x.start) {
			s.logger.Info("request does not authenticate", "request_id", x.call.RequestID, "code", code, "source", x.call.SourceIP)
		}
		return
	}
	if err != nil {
		if _, failure := outcome(err); failure != nil {
			level := hclog.Debug
			if s.alarms.allow(x.start) { // without a quorum every request fails
				level = hclog.Warn
			}
			s.logger.Log(level, "request failed", x.fields(code, took, "error", failure)...)
			return
		}
	}
	if s.logger.IsDebug() {
		s.logger.Debug("request", x.fields(code, took, "status", status)...)
	}
}

// fields lists what the log says of a request, and what else is given.
func (x *exchange) fields(code string, took time.Duration, more ...any) []any {
	return append([]any{
		"request_id", x.call.RequestID, "service", x.op.service.name, "operation", x.op.Name, "code", code,
		"account", x.call.Principal.AccountID, "access_key_id", x.call.Principal.AccessKeyID,
		"source", x.call.SourceIP, "took", took,
	}, more...)
}
