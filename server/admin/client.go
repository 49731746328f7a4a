package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/server/rest"
)

// Client asks a node for the operations of the admin API: through the socket on
// its host, or through its API port (NewRemote). It is safe for concurrent use.
type Client struct {
	http      *http.Client
	base      string // scheme and host
	userAgent string
	sign      func(r *http.Request, body []byte) error // nil where nothing is signed
}

// NewClient makes a client for the socket at path. userAgent is what the records
// of its calls say.
func NewClient(path, userAgent string) *Client {
	return &Client{base: "http://admin", userAgent: userAgent, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
	}}}
}

// ErrUnreachable is returned when a node does not answer: what was asked for may
// have happened or not.
var ErrUnreachable = errors.New("asking the node (does it run?)")

// Refusal is what a node answers that is no success.
type Refusal struct {
	rest.Problem
	Status int // HTTP's
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Close gives the connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status describes the node.
func (c *Client) Status(ctx context.Context) (status operator.Status, err error) {
	return status, c.Call(ctx, http.MethodGet, "/v1/status", nil, &status)
}

// CreateAccount makes an account and its administrator.
func (c *Client) CreateAccount(ctx context.Context, name string) (account operator.Credentials, err error) {
	return account, c.Call(ctx, http.MethodPost, "/v1/accounts", map[string]string{"accountName": name}, &account)
}

// CreateToken makes a join token that is valid for some hours.
func (c *Client) CreateToken(ctx context.Context, hours int) (token operator.JoinToken, err error) {
	return token, c.Call(ctx, http.MethodPost, "/v1/join-tokens", map[string]int{"hours": hours}, &token)
}

// Members lists the members of the cluster.
func (c *Client) Members(ctx context.Context) (members operator.Members, err error) {
	return members, c.Call(ctx, http.MethodGet, "/v1/members", nil, &members)
}

// leavingPoll is how often a client looks whether a member has left.
const leavingPoll = 100 * time.Millisecond

// RemoveMember takes a member out of the cluster for good, and returns when it
// has left the Raft configuration. A node that is asked for its own removal hears no
// more of that, so it returns when the record is written.
func (c *Client) RemoveMember(ctx context.Context, name string) error {
	asked, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := c.Call(ctx, http.MethodDelete, "/v1/members/"+url.PathEscape(name), nil, nil); err != nil || asked.Name == name {
		return err
	}
	for {
		members, err := c.Members(ctx)
		if err != nil || !includes(members, name) {
			return err
		}
		select {
		case <-time.After(leavingPoll):
		case <-ctx.Done():
			return fmt.Errorf("%s is removed and has not left the Raft configuration yet: %w", name, ctx.Err())
		}
	}
}

func includes(members operator.Members, name string) bool {
	for _, m := range members.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// Head answers the end of the node's ledger.
func (c *Client) Head(ctx context.Context) (head operator.LedgerHead, err error) {
	return head, c.Call(ctx, http.MethodGet, "/v1/ledger/head", nil, &head)
}

// Checkpoint answers the published checkpoint of the ledger, a signed note.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.text(ctx, "/v1/ledger/log/checkpoint")
}

// VerifierKeys answers the members' keys for checkpoints, one a line.
func (c *Client) VerifierKeys(ctx context.Context) ([]byte, error) {
	return c.text(ctx, "/v1/ledger/keys")
}

// Proof answers the proof that the record of a request is in the ledger.
func (c *Client) Proof(ctx context.Context, requestID string) ([]byte, error) {
	return c.text(ctx, "/v1/ledger/proof?requestId="+url.QueryEscape(requestID))
}

// text answers the body of an answer that is no JSON.
func (c *Client) text(ctx context.Context, path string) ([]byte, error) {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading the node's answer: %w", err)
	}
	return b, nil
}

// DeclareEpoch begins a new epoch of the ledger. Only the socket does.
func (c *Client) DeclareEpoch(ctx context.Context) error {
	return c.Call(ctx, http.MethodPost, "/v1/ledger/epochs", nil, new(struct{}))
}

// Records writes ledger records from a position on to w, one a line; at most
// limit, or all where it is negative. Only the socket has them.
func (c *Client) Records(ctx context.Context, w io.Writer, from, limit int64) error {
	path := "/v1/ledger/records?from=" + strconv.FormatInt(from, 10)
	if limit >= 0 {
		path += "&limit=" + strconv.FormatInt(limit, 10)
	}
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	return nil
}

// Call asks for the operation of a method and path, with a body where request is
// not nil, and decodes the answer into response, where that is not nil. The error
// is a *Refusal where the node refuses or fails, and ErrUnreachable where it does
// not answer.
func (c *Client) Call(ctx context.Context, method, path string, request, response any) error {
	body, err := c.do(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer body.Close()
	if response == nil {
		response = new(struct{})
	}
	if err := json.NewDecoder(body).Decode(response); err != nil {
		return fmt.Errorf("reading the node's answer: %w", err)
	}
	return nil
}

// do answers the body of a success.
func (c *Client) do(ctx context.Context, method, path string, request any) (io.ReadCloser, error) {
	var content bytes.Buffer
	if request != nil {
		if err := json.NewEncoder(&content).Encode(request); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
	}
	body := content.Bytes()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, &content)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	if c.sign != nil {
		if err := c.sign(req, body); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var failed rest.Failure
	if err := json.NewDecoder(resp.Body).Decode(&failed); err != nil || failed.Error.Code == "" {
		return nil, fmt.Errorf("the node answered %s", resp.Status)
	}
	return nil, &Refusal{failed.Error, resp.StatusCode}
}
