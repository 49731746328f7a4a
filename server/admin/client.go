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

	"github.com/cofre-kms/cofre/cluster"
)

// Client talks to a node's admin socket. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	userAgent string
}

// NewClient makes a client for the socket at path. userAgent is what the records
// of its calls say.
func NewClient(path, userAgent string) *Client {
	return &Client{userAgent: userAgent, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
	}}}
}

// Close gives the connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status describes the node.
func (c *Client) Status(ctx context.Context) (status cluster.Status, err error) {
	return status, c.call(ctx, http.MethodGet, "/v1/status", nil, &status)
}

// CreateAccount makes an account and its administrator.
func (c *Client) CreateAccount(ctx context.Context, name string) (account Account, err error) {
	return account, c.call(ctx, http.MethodPost, "/v1/accounts", NewAccount{Name: name}, &account)
}

// CreateToken makes a join token that is valid for some hours.
func (c *Client) CreateToken(ctx context.Context, hours int) (token Token, err error) {
	return token, c.call(ctx, http.MethodPost, "/v1/join-tokens", NewToken{Hours: hours}, &token)
}

// RemoveMember takes a member out of the cluster for good.
func (c *Client) RemoveMember(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/v1/members/"+url.PathEscape(name), nil, new(struct{}))
}

// Head answers the end of the node's ledger.
func (c *Client) Head(ctx context.Context) (head Head, err error) {
	return head, c.call(ctx, http.MethodGet, "/v1/ledger/head", nil, &head)
}

// Checkpoint answers the published checkpoint of the ledger.
func (c *Client) Checkpoint(ctx context.Context) (checkpoint Checkpoint, err error) {
	return checkpoint, c.call(ctx, http.MethodGet, "/v1/ledger/checkpoint", nil, &checkpoint)
}

// VerifierKeys answers the members' keys for checkpoints.
func (c *Client) VerifierKeys(ctx context.Context) (keys VerifierKeys, err error) {
	return keys, c.call(ctx, http.MethodGet, "/v1/ledger/keys", nil, &keys)
}

// DeclareEpoch begins a new epoch of the ledger.
func (c *Client) DeclareEpoch(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/ledger/epochs", nil, new(struct{}))
}

// Records writes ledger records from a position on to w, one a line; at most
// limit, or all where it is negative.
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

func (c *Client) call(ctx context.Context, method, path string, request, response any) error {
	body, err := c.do(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer body.Close()
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
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, &content)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the node (does it run?): %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var failed failure
	if err := json.NewDecoder(resp.Body).Decode(&failed); err != nil || failed.Error == "" {
		return nil, fmt.Errorf("the node answered %s", resp.Status)
	}
	return nil, errors.New(failed.Error)
}
