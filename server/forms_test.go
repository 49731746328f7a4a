package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFormsOfARequest sends one request in every form that HTTP/1.1 and clients
// give it, on one connection each.
func TestFormsOfARequest(t *testing.T) {
	const body, good, missing = `{"KeyId":"k"}`, `"KeyId":"k"`, "MissingAuthenticationTokenException"
	f, client := sdk(t, func() error { return nil })
	f.now = time.Now()
	signed := f.sign(t, f.root, "TrentService.DescribeKey", body)
	headers := headersOf(signed)
	signed.ContentLength = -1 // so that the length is not signed
	f.resign(t, signed, f.root, body)
	unsized := headersOf(signed)
	const post, chunked = "POST / HTTP/1.1\r\n", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nc\r\n\"KeyId\":\"k\"}\r\n0\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	whole := length + "\r\n" + body
	for _, test := range []struct {
		name, request string
		answers       int
		status        int
		contains      string
	}{
		{"usual", post + headers + whole, 1, 200, good},
		{"one after the other", strings.Repeat(post+headers+whole, 3), 3, 200, good},
		{"names in lower case", post + lowerNames(headers) + whole, 1, 200, good},
		{"values with spaces around", post + strings.ReplaceAll(headers, ": ", ":  \t") + whole, 1, 200, good},
		{"unsigned headers", post + headers + "Accept-Encoding: gzip\r\nX-Forwarded-For: 192.0.2.1\r\n" + whole, 1, 200, good},
		{"chunked", post + unsized + chunked, 1, 200, good},
		{"HTTP/1.0", "POST / HTTP/1.0\r\n" + headers + whole, 1, 200, good},
		{"absolute form", "POST https://" + signed.Host + "/ HTTP/1.1\r\n" + headers + whole, 1, 200, good},
		{"wrong length", post + headers + "Content-Length: 5\r\n\r\n" + body[:5], 1, 400, "InvalidSignatureException"},
		{"target twice", post + headers + "X-Amz-Target: TrentService.EnableKey\r\n" + whole, 1, 400, "InvalidSignatureException"},
		{"another method", "PUT / HTTP/1.1\r\n" + headers + whole, 1, 400, "InvalidSignatureException"},
		{"another path", "POST /kms HTTP/1.1\r\n" + headers + whole, 1, 400, "InvalidSignatureException"},
		{"signed by the query", "POST /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b HTTP/1.1\r\n" +
			strings.Replace(headers, "Authorization", "X-Other", 1) + whole, 1, 400, "IncompleteSignatureException"},
		{"nothing but a host", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1, 400, missing},
		{"long header", post + headers + "X-Long: " + strings.Repeat("x", 32<<10) + "\r\n" + whole, 1, 431, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := dial(t, client.Options().HTTPClient.(*http.Client), *client.Options().BaseEndpoint)
			if _, err := io.WriteString(conn, test.request); err != nil {
				t.Fatal(err)
			}
			answers := bufio.NewReader(conn)
			for range test.answers {
				status, answer := readAnswer(t, answers)
				if status != test.status || !strings.Contains(answer, test.contains) {
					t.Errorf("%d %s", status, answer)
				}
			}
		})
	}
	t.Run("expects to be asked on", func(t *testing.T) {
		conn := dial(t, client.Options().HTTPClient.(*http.Client), *client.Options().BaseEndpoint)
		answers := bufio.NewReader(conn)
		for _, step := range []struct {
			send   string
			status int
		}{{post + headers + length + "Expect: 100-continue\r\n\r\n", 100}, {body, 200}} {
			if _, err := io.WriteString(conn, step.send); err != nil {
				t.Fatal(err)
			}
			if status, answer := readAnswer(t, answers); status != step.status {
				t.Fatalf("%d %s", status, answer)
			}
		}
	})
}

// headersOf writes what a signature needs.
func headersOf(r *http.Request) string {
	headers := "Host: " + r.Host + "\r\n"
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Target", "Content-Type"} {
		headers += name + ": " + r.Header.Get(name) + "\r\n"
	}
	return headers
}

func lowerNames(headers string) string {
	var b strings.Builder
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(line, ":")
		b.WriteString(strings.ToLower(name) + ":" + value)
	}
	return b.String()
}

// dial connects as client does to an endpoint, for the length of the test.
func dial(t *testing.T, client *http.Client, endpoint string) *tls.Conn {
	t.Helper()
	config := client.Transport.(*http.Transport).TLSClientConfig
	conn, err := tls.Dial("tcp", strings.TrimPrefix(endpoint, "https://"), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the server may have closed it
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readAnswer(t *testing.T, from *bufio.Reader) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
