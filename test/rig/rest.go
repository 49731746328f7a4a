package rig

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Get asks Cofre's own API for a path with its query.
func (r *Raw) Get(ctx context.Context, path string) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.node.URL()+path, nil)
	if err != nil {
		return Reply{}, err
	}
	empty := sha256.Sum256(nil)
	err = v4.NewSigner().SignHTTP(ctx, aws.Credentials{
		AccessKeyID: r.who.AccessKeyID, SecretAccessKey: r.who.SecretAccessKey,
	}, req, hex.EncodeToString(empty[:]), "cofre", Region, time.Now())
	if err != nil {
		return Reply{}, fmt.Errorf("signing: %w", err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: answer}, err
}
