package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// get reads a page of the node's port for figures and health.
func (n *Node) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.MetricsAddr+path, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of %s: %s: %s", path, n.Name, resp.Status, body)
	}
	return body, err
}

// Metrics reads the node's figures; a series is named as it is printed, with its
// labels.
func (n *Node) Metrics(ctx context.Context) (map[string]float64, error) {
	page, err := n.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(page), nil
}

// parseMetrics reads the Prometheus text format.
func parseMetrics(page []byte) map[string]float64 {
	figures := make(map[string]float64)
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[cut+1:], &value); err == nil {
			figures[line[:cut]] = value
		}
	}
	return figures
}
