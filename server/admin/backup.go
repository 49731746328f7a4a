package admin

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/record"
)

// backup streams a backup. It takes as long as it takes: the request's deadline
// is the client's.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	event, err := s.event(r, "CreateBackup")
	if err != nil {
		answer(w, nil, err)
		return
	}
	stream := &begun{w: w}
	err = s.cfg.Node.Backup(r.Context(), event, stream)
	switch {
	case err == nil:
	case !stream.has:
		answer(w, nil, err)
	default:
		s.cfg.Logger.Warn("making a backup", "error", err)
		panic(http.ErrAbortHandler) // the client must not take it for the end
	}
}

// begun is a response that knows whether it has begun.
type begun struct {
	w   http.ResponseWriter
	has bool
}

// Write implements io.Writer.
func (b *begun) Write(p []byte) (int, error) {
	if !b.has {
		b.has = true
		b.w.Header().Set("Content-Type", "application/octet-stream")
	}
	return b.w.Write(p)
}

// Backup writes a backup of the cluster to w. Where it answers an error, what has
// been written is none.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	body, err := c.do(ctx, http.MethodPost, "/v1/backups", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// RestoreEvent makes the record of a restoration; see cluster.Restore.
func RestoreEvent(uid int, userAgent, region string, now time.Time) func(view fsm.View) ([]byte, error) {
	return func(view fsm.View) ([]byte, error) {
		c := newCall(uid, userAgent, region, now)
		if err := recipient(c, view); err != nil {
			return nil, err
		}
		c.Operation = "RestoreCluster"
		return record.Encode(c, nil)
	}
}
