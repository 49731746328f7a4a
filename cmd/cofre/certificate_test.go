package main

import (
	"errors"
	"testing"
)

func TestNotReadyWithoutACertificate(t *testing.T) {
	if err := (certified{certificate: &certificate{}}).Ready(); !errors.Is(err, errNoCertificate) {
		t.Errorf("ready: %v", err)
	}
}
