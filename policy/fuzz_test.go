package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: no text makes the parser panic, and what it takes it prints as what
// it takes again, to the same effect.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(data), "\n\n") {
			if head, body, ok := strings.Cut(block, "\n"); ok && strings.HasPrefix(head, "document ") {
				f.Add(body, "x:v", "kms:Encrypt")
			}
		}
	}
	f.Add(keyFor(`{"AWS":["*"],"Service":"s3.amazonaws.com"}`), "aws:username", "a:b")
	f.Add(conditioned(`{"ForAnyValue:ArnLikeIfExists":{"a:b":["arn:aws:s3:::${a:c, 'd'}?*"]}}`), "a:b", "a:b")
	f.Fuzz(func(t *testing.T, text, key, action string) {
		for kind := KeyPolicy; kind <= Boundary; kind++ {
			d, err := Parse(kind, text)
			if err != nil {
				continue
			}
			printed := d.String()
			again, err := Parse(kind, printed)
			if err != nil || again.String() != printed {
				t.Fatalf("%s\nprinted: %s\nagain: %v, %v", text, printed, again, err)
			}
			r := &Request{Principal: who(t, "web"), Action: action, Resource: "arn:aws:kms:e:1:key/k", Account: "111122223333",
				Context: words{key: {action}}}
			p, q := &Policies{Identity: []*Document{d}}, &Policies{Identity: []*Document{again}}
			if kind.resourceBased() {
				p, q = &Policies{Resource: d}, &Policies{Resource: again}
			}
			got, want := Evaluate(r, q), Evaluate(r, p)
			got.Document, want.Document = nil, nil
			if got != want {
				t.Fatalf("%s\nprinted: %s\n%+v became %+v", text, printed, want, got)
			}
		}
	})
}

// FuzzGlob compares the matcher with the oracle's.
func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{"", "*", "?", "a*b", "*a?b*", "**", "?*?", "ä?*"} {
		f.Add(pattern, "aab")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		pattern, text = strings.ToValidUTF8(pattern, ""), strings.ToValidUTF8(text, "")
		m := &meter{left: MaxSteps}
		if got := compileGlob(pattern).match(m, text); got != like(pattern, text) && !m.empty() {
			t.Errorf("%q against %q: %v", pattern, text, got)
		}
	})
}
