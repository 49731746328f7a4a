package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// target is a cluster as its environment file describes it.
type target struct {
	addrs     []string // host:port of every node's API, in order
	accessKey string
	secret    string
	region    string
	pidsDir   string
	tls       *tls.Config
}

func readTarget(path string) (target, error) {
	env, err := readEnv(path)
	if err != nil {
		return target{}, err
	}
	t := target{
		accessKey: env["AWS_ACCESS_KEY_ID"],
		secret:    env["AWS_SECRET_ACCESS_KEY"],
		region:    env["AWS_DEFAULT_REGION"],
		pidsDir:   env["COFRE_PIDS_DIR"],
	}
	for _, endpoint := range strings.Split(env["COFRE_ENDPOINTS"], ",") {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" {
			return t, fmt.Errorf("COFRE_ENDPOINTS in %s: %q is no URL", path, endpoint)
		}
		t.addrs = append(t.addrs, u.Host)
	}
	pem, err := os.ReadFile(env["AWS_CA_BUNDLE"])
	if err != nil {
		return t, fmt.Errorf("reading AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return t, errors.New("AWS_CA_BUNDLE holds no certificate")
	}
	t.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// readEnv reads lines of the form export NAME=value, quoted or not.
func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the environment file (is the cluster up?): %w", err)
	}
	defer f.Close()
	env := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = strings.Trim(value, `"'`)
		}
	}
	return env, lines.Err()
}
