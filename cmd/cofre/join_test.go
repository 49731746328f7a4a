package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := func(string) (string, bool) { return " from-environment ", true }
	nothing := func(string) (string, bool) { return "", false }
	for _, test := range []struct {
		name, file string
		lookup     func(string) (string, bool)
		in, want   string
	}{
		{"file", file, environment, "from-input", "from-file"},
		{"environment", "", environment, "from-input", "from-environment"},
		{"input", "", nothing, "from-input\n", "from-input"},
		{"nothing", "", nothing, "\n", ""},
		{"no such file", file + "x", environment, "from-input", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readToken(test.file, test.lookup, strings.NewReader(test.in))
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
