package admin

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/operator"
)

// records streams ledger records from a position on, one a line, exactly the
// bytes that are hashed: the first line is position from, the next one from + 1.
// A record has no newline in it: its JSON is not indented.
func (s *Server) records(w http.ResponseWriter, r *http.Request) {
	from, err1 := number(r, "from", 0)
	limit, err2 := number(r, "limit", math.MaxInt64)
	if err := errors.Join(err1, err2); err != nil {
		answer(w, nil, call.Errorf("ValidationException", "%v", err))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	var page bytes.Buffer
	for limit > 0 {
		page.Reset()
		n, err := s.page(&page, from, min(limit, pageRecords))
		if err != nil {
			s.cfg.Logger.Warn("reading the ledger", "from", from, "error", err)
			panic(http.ErrAbortHandler) // the client must not take it for the end
		}
		if n == 0 {
			return
		}
		if _, err := w.Write(page.Bytes()); err != nil {
			return
		}
		from, limit = from+n, limit-n
	}
}

// pageRecords bounds what is read at a time: a client that reads slowly holds no
// state open.
const pageRecords = 1024

func (s *Server) page(page *bytes.Buffer, from, limit int64) (n int64, err error) {
	err = s.cfg.Ledger.Events(from, func(_ int64, event []byte) (bool, error) {
		page.Write(event)
		page.WriteByte('\n')
		n++
		return n < limit && page.Len() < 1<<20, nil
	})
	return n, err
}

func number(r *http.Request, name string, otherwise int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is no position or number of records", name, text)
	}
	return n, nil
}

func (s *Server) head(w http.ResponseWriter, _ *http.Request) {
	answer(w, operator.Head(s.cfg.Ledger.Status()), nil)
}
