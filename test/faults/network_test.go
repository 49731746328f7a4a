package faults

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a link to a server that sends every line back.
func echo(t *testing.T) (l *link, there, back *path) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	there, back = new(path), new(path)
	l, err = newLink(nil, "127.0.0.1:0", nil, server.Addr().String(), there, back)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l, there, back
}

func dial(t *testing.T, l *link) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// say sends a line, and awaits its echo for so long.
func say(t *testing.T, conn net.Conn, line string, limit time.Duration) error {
	t.Helper()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return err
	}
	return hear(t, conn, line, limit)
}

func hear(t *testing.T, conn net.Conn, line string, limit time.Duration) error {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err == nil && got != line+"\n" {
		t.Fatalf("heard %q, want %q", got, line)
	}
	return err
}

const (
	limit = 20 * time.Second      // until what must come has come
	quiet = 50 * time.Millisecond // in which what must not come does not
)

// TestCutHoldsBack: nothing passes a cut path, in either direction, and nothing is
// missing when it is mended.
func TestCutHoldsBack(t *testing.T) {
	l, there, back := echo(t)
	conn := dial(t, l)
	for _, p := range []*path{there, back} {
		if err := say(t, conn, "before", limit); err != nil {
			t.Fatal(err)
		}
		p.cut()
		p.cut() // by another fault
		if err := say(t, conn, "across", quiet); err == nil {
			t.Fatal("heard across a cut")
		}
		p.mend()
		if err := hear(t, conn, "across", quiet); err == nil {
			t.Fatal("heard across what is left of the cut")
		}
		p.mend()
		if err := hear(t, conn, "across", limit); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCutHoldsHandshakes: who connects across a cut does so when it is mended.
func TestCutHoldsHandshakes(t *testing.T) {
	l, _, back := echo(t)
	back.cut()
	conn := dial(t, l)
	if err := say(t, conn, "a", quiet); err == nil {
		t.Fatal("connected across a cut")
	}
	back.mend()
	if err := hear(t, conn, "a", limit); err != nil {
		t.Fatal(err)
	}
}

// TestEnds: ends and resets of connections arrive, behind what was sent before.
func TestEnds(t *testing.T) {
	l, there, _ := echo(t)
	there.reshape(shape{delay: 20 * time.Millisecond, loss: 0.1, rate: 1e6})
	conn := dial(t, l)
	if _, err := io.WriteString(conn, "last\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || string(all) != "last\n" {
		t.Errorf("heard %q, %v", all, err)
	}
	conn = dial(t, l)
	if err := say(t, conn, "x", limit); err != nil {
		t.Fatal(err)
	}
	l.resetAll()
	if err := hear(t, conn, "x", limit); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after a reset: %v", err)
	}
}
