package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const contentType = "application/x-amz-json-1.1"

// client is one kept-alive HTTP/1.1 connection. It is written by hand, as load
// generators are, so that it takes little of the CPU that it shares with the
// nodes.
type client struct {
	host   string
	tls    *tls.Config
	signer *signer
	conn   net.Conn
	reader *bufio.Reader
	buf    []byte
}

func newClient(t target, addr string) *client {
	return &client{host: addr, tls: t.tls, signer: newSigner(t)}
}

func (c *client) dial(ctx context.Context) error {
	dialer := tls.Dialer{Config: c.tls}
	conn, err := dialer.DialContext(ctx, "tcp", c.host)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// call sends one signed request and reads the whole answer. An answer other than
// 200 is an error.
func (c *client) call(ctx context.Context, operation string, body []byte) ([]byte, error) {
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return nil, err
		}
	}
	answer, status, err := c.exchange(operation, body)
	if err != nil {
		c.close()
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP %d: %s", operation, status, answer)
	}
	return answer, nil
}

func (c *client) exchange(operation string, body []byte) ([]byte, int, error) {
	c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	b := append(c.buf[:0], "POST / HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, "\r\nUser-Agent: cofre-bench\r\nContent-Type: "+contentType+"\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n"...)
	b = c.signer.headers(b, c.host, operation, body, time.Now())
	b = append(b, "\r\n"...)
	b = append(b, body...)
	c.buf = b
	if _, err := c.conn.Write(b); err != nil {
		return nil, 0, err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, 0, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return answer, resp.StatusCode, err
}
