package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/test/rig"
)

// auditor is somebody with files and `cofre ledger verify`, and without a node.
type auditor struct {
	t   *testing.T
	dir string
}

func (a auditor) file(name string) string { return filepath.Join(a.dir, name) }

// save prints what a node answers to a command into a file.
func (a auditor) save(n *rig.Node, name string, command ...string) error {
	out, err := n.Run("", command...)
	if err != nil {
		return err
	}
	return os.WriteFile(a.file(name), out, 0o600)
}

// verify answers what `cofre ledger verify` prints of an export.
func (a auditor) verify(records []byte) (string, error) {
	cmd := exec.Command(binary, "ledger", "verify", "--keys", a.file("keys"), "--checkpoint", a.file("checkpoint"))
	cmd.Stdin = bytes.NewReader(records)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() != 1 {
		a.t.Errorf("exit code %d: %s", exit.ExitCode(), out)
	}
	return string(out), err
}

// TestAuditorVerifiesTheLedger exports the ledger with a checkpoint, and tampers
// with the export in every way that an auditor fears.
func TestAuditorVerifiesTheLedger(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		a := auditor{t, t.TempDir()}
		client := c.Raw(t, c.Node(1), c.Admin)
		for range 20 {
			if _, err := client.Send(t.Context(), "TrentService.GenerateRandom", []byte(`{"NumberOfBytes":8}`), nil); err != nil {
				t.Fatal(err)
			}
		}
		rig.Await(t, time.Minute, "a checkpoint that all nodes have signed", func() error {
			if err := errors.Join(a.save(c.Node(2), "keys", "ledger", "keys"), a.save(c.Node(3), "checkpoint", "ledger", "checkpoint")); err != nil {
				return err
			}
			keys, err := os.ReadFile(a.file("keys"))
			if err != nil || bytes.Count(keys, []byte("\n")) != 6 {
				return fmt.Errorf("the keys are %q, %v", keys, err)
			}
			records, err := c.Node(1).Run("", "ledger", "records")
			if err != nil {
				return err
			}
			out, err := a.verify(records)
			if err == nil && strings.Contains(out, "not verified") {
				err = errors.New(out)
			}
			return err
		})

		records, err := c.Node(1).Run("", "ledger", "records")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := a.verify(records); err != nil || !strings.HasPrefix(out, "verified: ") {
			t.Fatalf("%v: %s", err, out)
		}
		lines := bytes.SplitAfter(bytes.TrimSuffix(records, []byte("\n")), []byte("\n"))
		lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
		for name, change := range map[string]func([][]byte) [][]byte{
			"a byte":            func(l [][]byte) [][]byte { l[5] = bytes.Replace(l[5], []byte("1"), []byte("2"), 1); return l },
			"a record is gone":  func(l [][]byte) [][]byte { return slices.Delete(l, 4, 5) },
			"the tail is gone":  func(l [][]byte) [][]byte { return l[:8] },
			"two are swapped":   func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l },
			"one is there more": func(l [][]byte) [][]byte { return slices.Insert(l, 2, l[2]) },
			"no record":         func([][]byte) [][]byte { return nil },
		} {
			out, err := a.verify(bytes.Join(change(slices.Clone(lines)), nil))
			if err == nil || !strings.Contains(out, "the records are not those of the checkpoint") {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		}

		// A checkpoint by one node alone, and one for keys that the auditor has not.
		note, err := os.ReadFile(a.file("checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		text, signatures, _ := strings.Cut(string(note), "\n\n")
		var own []string
		for line := range strings.Lines(signatures) {
			if !strings.Contains(line, "/node2 ") && !strings.Contains(line, "/node3 ") { // the ledger's and node1's
				own = append(own, line)
			}
		}
		must(t, os.WriteFile(a.file("checkpoint"), []byte(text+"\n\n"+strings.Join(own, "")), 0o600))
		if out, err := a.verify(records); err == nil || !strings.Contains(out, "not enough signatures") {
			t.Errorf("one cosigner: %v: %s", err, out)
		}
	})
}

// TestProofOfAnAnswer has a client, with what it was answered, ask another node
// for a proof, and believe it by the keys alone.
func TestProofOfAnAnswer(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary})
	a := auditor{t, t.TempDir()}
	rig.Await(t, time.Minute, "the keys of all nodes", func() error {
		reply, err := c.Raw(t, c.Node(1), c.Admin).Get(t.Context(), "/v1/ledger/keys")
		if err == nil && (reply.Status != 200 || bytes.Count(reply.Body, []byte("\n")) != 6) {
			err = fmt.Errorf("%d: %s", reply.Status, reply.Body)
		}
		return errors.Join(err, os.WriteFile(a.file("keys"), reply.Body, 0o600))
	})
	for i := range 9 {
		asked, answering := c.Node(1+i%3), c.Raw(t, c.Node(1+(i+1)%3), c.Admin)
		answer, err := c.Raw(t, asked, c.Admin).Send(t.Context(), "TrentService.GenerateRandom", []byte(`{"NumberOfBytes":8}`), nil)
		if err != nil || answer.Status != 200 {
			t.Fatalf("%+v, %v", answer, err)
		}
		id := answer.Header.Get("X-Amzn-Requestid")
		reply, err := answering.Get(t.Context(), "/v1/ledger/proof?requestId="+id)
		if err != nil || reply.Status != 200 {
			t.Fatalf("%d: %s, %v", reply.Status, reply.Body, err)
		}
		must(t, os.WriteFile(a.file("proof"), reply.Body, 0o600))
		out, err := exec.Command(binary, "ledger", "verify", "--keys", a.file("keys"), "--proof", a.file("proof")).CombinedOutput()
		if err != nil || !bytes.HasPrefix(out, []byte("verified: ")) {
			t.Errorf("%v: %s", err, out)
		}
		proof, err := ledger.ParseProof(reply.Body)
		if err != nil || !bytes.Contains(proof.Extra, []byte(id)) {
			t.Errorf("the record is %s, %v", proof.Extra, err)
		}
	}
}
