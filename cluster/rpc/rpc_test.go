package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

const patience = 20 * time.Second

// exchange is a client and the servers that its dials reach.
type exchange struct {
	t       *testing.T
	client  *Client
	handle  Handler
	serving sync.WaitGroup

	mu      sync.Mutex
	dialErr error
	conns   []net.Conn // the servers' ends
}

func newExchange(t *testing.T, handle Handler) *exchange {
	x := &exchange{t: t, handle: handle}
	x.client = NewClient(x.dial)
	t.Cleanup(func() {
		x.client.Close()
		x.cut()
		x.serving.Wait()
	})
	return x
}

func (x *exchange) dial(context.Context) (net.Conn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dialErr != nil {
		return nil, x.dialErr
	}
	near, far := net.Pipe()
	x.conns = append(x.conns, far)
	x.serving.Go(func() { Serve(context.Background(), far, x.handle) })
	return near, nil
}

// cut breaks all connections.
func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, conn := range x.conns {
		conn.Close()
	}
	x.conns = nil
}

func (x *exchange) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	x.t.Cleanup(cancel)
	return ctx
}

func echo(_ context.Context, method Method, body []byte) ([]byte, error) {
	return append([]byte{byte(method)}, body...), nil
}

func TestCalls(t *testing.T) {
	x := newExchange(t, echo)
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			want := bytes.Repeat([]byte{byte(i)}, i*100)
			got, err := x.client.Call(x.ctx(), Method(i), want)
			if err != nil || got[0] != byte(i) || !bytes.Equal(got[1:], want) {
				t.Errorf("call %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	callers.Wait()
	if len(x.conns) != 1 {
		t.Errorf("%d connections", len(x.conns))
	}
}

func TestRefusals(t *testing.T) {
	x := newExchange(t, func(_ context.Context, method Method, _ []byte) ([]byte, error) {
		if method == 1 {
			return nil, fmt.Errorf("wrapped: %w", Errorf(9, "no"))
		}
		return nil, errors.New("plain")
	})
	if _, err := x.client.Call(x.ctx(), 1, nil); !Refused(err, 9) || err.Error() != "wrapped: no" {
		t.Errorf("a refusal with a code: %v", err)
	}
	if _, err := x.client.Call(x.ctx(), 2, nil); !Refused(err, CodeFailed) || err.Error() != "plain" {
		t.Errorf("a plain error: %v", err)
	}
}

// TestLostCalls: the error says whether the peer may have seen the call, and the
// next call finds a new connection.
func TestLostCalls(t *testing.T) {
	entered := make(chan struct{})
	x := newExchange(t, func(ctx context.Context, method Method, body []byte) ([]byte, error) {
		if method == 1 {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return body, nil
	})
	x.mu.Lock()
	x.dialErr = errors.New("nobody there")
	x.mu.Unlock()
	if _, err := x.client.Call(x.ctx(), 1, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("without a connection: %v", err)
	}
	x.mu.Lock()
	x.dialErr = nil
	x.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		_, err := x.client.Call(x.ctx(), 1, nil)
		done <- err
	}()
	<-entered
	x.cut()
	if err := <-done; !errors.Is(err, ErrLost) {
		t.Errorf("with a broken connection: %v", err)
	}
	if got, err := x.client.Call(x.ctx(), 2, []byte("again")); err != nil || string(got) != "again" {
		t.Errorf("after it: %q, %v", got, err)
	}
	x.client.Close()
	if _, err := x.client.Call(x.ctx(), 2, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("after Close: %v", err)
	}
}

// TestDeadline: the caller's deadline reaches the handler, and a caller that
// stops waiting does not disturb the others.
func TestDeadline(t *testing.T) {
	deadlines := make(chan time.Time, 1)
	x := newExchange(t, func(ctx context.Context, method Method, body []byte) ([]byte, error) {
		if method != 1 {
			return body, nil
		}
		deadline, _ := ctx.Deadline()
		deadlines <- deadline
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	done := make(chan error, 1)
	go func() {
		_, err := x.client.Call(ctx, 1, nil)
		done <- err
	}()
	if left := time.Until(<-deadlines); left < 59*time.Minute || left > time.Hour+time.Second {
		t.Errorf("the handler has %v left", left)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	if _, err := x.client.Call(x.ctx(), 2, nil); err != nil {
		t.Error(err)
	}
	if len(x.conns) != 1 {
		t.Errorf("%d connections", len(x.conns))
	}
}

// TestSilence: a connection on which nothing was heard for a whole call is not
// trusted any more.
func TestSilence(t *testing.T) {
	var mu sync.Mutex
	dials := 0
	client := NewClient(func(context.Context) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		dials++
		near, far := net.Pipe()
		go func() { // reads and never answers
			r := bufio.NewReader(far)
			for {
				if _, err := readFrame(r); err != nil {
					return
				}
			}
		}()
		return near, nil
	})
	defer client.Close()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return dials
	}
	for start := time.Now(); count() < 2; {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		if _, err := client.Call(ctx, 1, nil); err == nil {
			t.Error("silence was taken for an answer")
		}
		cancel()
		if time.Since(start) > patience {
			t.Fatal("a silent connection is used for ever")
		}
	}
}

func TestSizes(t *testing.T) {
	x := newExchange(t, echo)
	if _, err := x.client.Call(x.ctx(), 1, make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrNotSent) {
		t.Errorf("a call over the limit: %v", err)
	}
	for _, length := range []uint32{0, headSize - 1, headSize + MaxBody + 1, 1<<32 - 1} {
		var head [lengthSize + headSize]byte
		binary.BigEndian.PutUint32(head[:], length)
		if _, err := readFrame(bufio.NewReader(bytes.NewReader(head[:]))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a frame of length %d: %v", length, err)
		}
	}
}

// FuzzFrame: what is written is read again, and no input makes the reader do more
// than fail.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 'x'})
	f.Fuzz(func(t *testing.T, input []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(input)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := writeFrame(bufio.NewWriter(&out), got); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(input, out.Bytes()) {
			t.Errorf("%x reads as %+v, which is written as %x", input, got, out.Bytes())
		}
	})
}
