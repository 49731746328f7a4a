package rpc

import (
	"bufio"
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"time"
)

// maxRunning bounds the calls of one connection that run at a time; more wait
// unread.
const maxRunning = 256

// Handler runs one call of a peer. ctx ends with the caller's patience or its
// connection. An *Error reaches the caller with its code, any other error as
// CodeFailed.
type Handler func(ctx context.Context, method Method, body []byte) ([]byte, error)

// Serve runs the calls that arrive on a connection until it breaks or ctx is
// done. It returns when all of them have returned.
func Serve(ctx context.Context, conn net.Conn, handle Handler) {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{conn: conn, handle: handle, w: bufio.NewWriterSize(conn, bufferSize)}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s.read(ctx)
	cancel()
	s.running.Wait()
	stop()
	conn.Close()
}

type server struct {
	conn    net.Conn
	handle  Handler
	running sync.WaitGroup

	writing sync.Mutex // held for a frame
	w       *bufio.Writer
}

func (s *server) read(ctx context.Context) {
	r := bufio.NewReaderSize(s.conn, bufferSize)
	slots := make(chan struct{}, maxRunning)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		s.running.Go(func() {
			defer func() { <-slots }()
			s.run(ctx, f)
		})
	}
}

// run runs one call and writes its answer.
func (s *server) run(ctx context.Context, f frame) {
	if f.time != math.MaxUint32 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(f.time)*time.Millisecond)
		defer cancel()
	}
	body, err := s.handle(ctx, Method(f.tag), f.body)
	answer := frame{id: f.id, tag: uint8(codeOK), body: body}
	if err != nil {
		answer.tag, answer.body = uint8(CodeFailed), []byte(err.Error())
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			answer.tag = uint8(refusal.Code)
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	err = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		err = writeFrame(s.w, answer)
	}
	if err != nil {
		s.conn.Close()
	}
}
