package server

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener that is handed its connections.
type pipes struct {
	net.Listener
	conns chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	if conn := <-p.conns; conn != nil {
		return conn, nil
	}
	return nil, errors.New("no more")
}

func (p pipes) Close() error { close(p.conns); return nil }

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := pipes{conns: make(chan net.Conn, 10)}
		l := newBoundedListener(inner, 2)
		accepted := make(chan net.Conn)
		ended := make(chan error, 1)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				accepted <- conn
			}
		}()
		for range 3 {
			conn, _ := net.Pipe()
			inner.conns <- conn
		}
		first, second := <-accepted, <-accepted
		synctest.Wait()
		select {
		case <-accepted:
			t.Fatal("a third connection was accepted")
		default:
		}
		for range 2 { // closing again gives no second place away
			if err := first.Close(); err != nil {
				t.Error(err)
			}
		}
		third := <-accepted
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("accepts after it was closed")
		}
		_, _ = second.Close(), third.Close()
	})
}

func TestTheLimiterLetsAFewThroughEachSecond(t *testing.T) {
	var l limiter
	for second := range int64(3) {
		allowed := 0
		for i := range 100 {
			if l.allow(time.Unix(second, int64(i))) {
				allowed++
			}
		}
		if allowed != perSecond {
			t.Errorf("%d in second %d", allowed, second)
		}
	}
}
