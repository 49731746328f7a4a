package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cofre-kms/cofre"

// layer is a row of the table: what the packages of one folder may import of
// this module, and what of other modules and the standard library they must
// never import, not even through the packages of their own folder.
type layer struct {
	folder string   // relative to the module, without a trailing slash
	may    []string // folders; the own one is always allowed
	never  []string // import paths, each with everything below it
	except []string // import paths below those in never that are harmless
}

// storage are the engines that only the layer below may know.
var storage = []string{
	"github.com/hashicorp/raft", "github.com/hashicorp/raft-boltdb", "github.com/hashicorp/raft-wal",
	"github.com/cockroachdb/pebble", "github.com/miekg/pkcs11",
}

// table is ordered: the first folder that holds a package is its layer.
var table = []layer{
	{folder: "cmd/cofre", may: []string{"server", "cluster", "fsm", "hsm", "ledger", "policy", "internal/config"}},
	// For tests: its store is in the memory that Pebble calls a file system.
	{folder: "server/servertest", may: []string{"fsm", "hsm", "ledger"}, never: []string{
		"github.com/hashicorp/raft", "github.com/miekg/pkcs11",
	}},
	{folder: "server", may: []string{"cluster", "fsm", "hsm", "ledger", "policy"}, never: storage},
	{folder: "cluster", may: []string{"fsm", "hsm", "ledger"}, never: []string{"net/http"}},
	{folder: "fsm", may: []string{"ledger"}, never: []string{
		"github.com/hashicorp/raft", "github.com/miekg/pkcs11",
		"net", "math/rand", "crypto/rand",
	}},
	{folder: "ledger", never: append([]string{"os", "net", "math/rand", "crypto/rand"}, storage...)},
	{folder: "hsm", never: []string{
		"github.com/hashicorp/raft", "github.com/cockroachdb/pebble", "net/http",
	}},
	// net/netip is the arithmetic of addresses, without a network.
	{folder: "policy", never: append([]string{"os", "net", "math/rand", "crypto/rand", "time/tzdata"}, storage...),
		except: []string{"net/netip"}},
	{folder: "internal/config", may: []string{"hsm"}, never: append([]string{"net/http"}, storage...)},
	{folder: "internal/imports"},
	{folder: "bench"},
	{folder: "test", may: []string{"cmd", "server", "cluster", "fsm", "hsm", "ledger", "policy", "internal"}},
}

// goPackage is what we read of `go list -json`.
type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func TestImportGraph(t *testing.T) {
	packages := list(t)
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	for _, p := range packages {
		row := layerOf(p.ImportPath)
		if row == nil {
			t.Errorf("%s belongs to no folder of the table", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if problem := row.check(imported); problem != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, problem)
			}
		}
	}
}

// TestTableNoticesViolations shows that the test above can fail.
func TestTableNoticesViolations(t *testing.T) {
	for _, test := range []struct{ from, imported string }{
		{"fsm", module + "/hsm"},
		{"fsm", "github.com/hashicorp/raft"},
		{"fsm", "crypto/rand"},
		{"server/kms", "github.com/cockroachdb/pebble/v2"},
		{"server/kms", "github.com/miekg/pkcs11"},
		{"cluster", module + "/server"},
		{"cluster", "net/http"},
		{"ledger", module + "/fsm"},
		{"hsm/soft", module + "/ledger"},
		{"policy", "net/http"},
	} {
		row := layerOf(module + "/" + test.from)
		if row == nil {
			t.Fatalf("no layer for %s", test.from)
		}
		if row.check(test.imported) == "" {
			t.Errorf("%s may import %s", test.from, test.imported)
		}
	}
	if layerOf(module+"/serverless") != nil {
		t.Error("a folder whose name only begins like another is taken for it")
	}
}

// check says what is wrong with an import, "" where nothing is.
func (l layer) check(imported string) string {
	for _, path := range l.never {
		if under(imported, path) && !slices.Contains(l.except, imported) {
			return l.folder + " never imports " + path
		}
	}
	own, ok := strings.CutPrefix(imported, module+"/")
	if !ok || under(own, l.folder) {
		return ""
	}
	if slices.ContainsFunc(l.may, func(folder string) bool { return under(own, folder) }) {
		return ""
	}
	return l.folder + " may import only " + strings.Join(l.may, ", ")
}

func layerOf(importPath string) *layer {
	own := strings.TrimPrefix(importPath, module+"/")
	for i := range table {
		if under(own, table[i].folder) {
			return &table[i]
		}
	}
	return nil
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// list answers all packages of the module. Test files are left out: a test may
// stand its package beside any other.
func list(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		packages = append(packages, p)
	}
}
