package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/internal/config"
)

// ca issues certificates that end after the given lifetimes; a zero is a failure.
type ca struct {
	lifetimes []time.Duration
	issued    []time.Time
}

func (c *ca) ServerCertificate(context.Context, []string) (*tls.Certificate, error) {
	c.issued = append(c.issued, time.Now())
	lifetime := c.lifetimes[0]
	c.lifetimes = c.lifetimes[1:]
	if lifetime == 0 {
		return nil, errors.New("no state yet")
	}
	return &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(lifetime)}}, nil
}

func TestCertificatesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		const life = 90 * 24 * time.Hour
		from := &ca{lifetimes: []time.Duration{0, 0, life, life, life}}
		c := &certificate{logger: hclog.NewNullLogger()}
		if _, err := c.get(nil); !errors.Is(err, errNoCertificate) {
			t.Errorf("before there is one: %v", err)
		}
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.keep(ctx, from, nil)
		}()
		time.Sleep(150 * 24 * time.Hour) // of the bubble's clock
		cancel()
		<-done
		if _, err := c.get(nil); err != nil {
			t.Error(err)
		}
		var at []time.Duration
		for _, issued := range from.issued {
			at = append(at, issued.Sub(start))
		}
		want := []time.Duration{0, issueAgain, 2 * issueAgain, 2*issueAgain + life*2/3, 2*issueAgain + life*4/3}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("asked at %v instead of %v", at, want)
		}
	})
}

func TestForeignCertificates(t *testing.T) {
	c := &certificate{logger: hclog.NewNullLogger()}
	if err := c.load(config.API{CertFile: "none", KeyFile: "none"}); err == nil {
		t.Error("no error for files that are not there")
	}
}

func TestNotReadyWithoutACertificate(t *testing.T) {
	if err := (certified{certificate: &certificate{}}).Ready(); !errors.Is(err, errNoCertificate) {
		t.Errorf("ready: %v", err)
	}
}
