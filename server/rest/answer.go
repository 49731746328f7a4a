package rest

import (
	"context"
	"io"
	"net/http"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/query"
)

// Raw is an answer that is no JSON.
type Raw struct {
	ContentType string // "application/octet-stream"
	Body        []byte
}

// Stream is an answer that is written piece by piece, after the commit. The
// request's deadline is over then: it takes as long as the client reads, who is
// given up on where it stalls.
type Stream struct {
	ContentType string
	// Copy writes the answer. ctx ends when the client has gone. After an error the
	// connection breaks, so that the client does not take what it has for all.
	Copy func(ctx context.Context, w io.Writer) error
}

// Failure is the body of every answer that is no success.
type Failure struct {
	Error Problem `json:"error"`
}

// Problem is what is wrong.
type Problem struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

// statuses are the exceptions that HTTP has a status of its own for, which the
// AWS protocols do not use.
var statuses = map[string]int{
	"InvalidAction": http.StatusNotFound,
	"Throttling":    http.StatusTooManyRequests,
}

// Translate answers an exception as the API calls it: what it shares with the
// services of the Query protocol has their names.
func Translate(e *call.Error) *call.Error {
	translated := *query.Translate(e)
	if status, ok := statuses[translated.Code]; ok {
		translated.Status = status
	}
	if translated.Status == 0 {
		translated.Status = http.StatusBadRequest
	}
	if translated.Code == "InvalidAction" {
		translated.Message = "No operation has this method and path."
	}
	return &translated
}
