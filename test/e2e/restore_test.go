package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestRestoreFromBackup makes a backup under load, loses all nodes, and makes a
// new cluster of it: with everything that was acknowledged before the backup was
// begun, and a ledger that goes on.
func TestRestoreFromBackup(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		before := startLoad(t, c, retryable)
		before.awaitProgress(100)
		before.end() // what follows may be lost: its answers are not held against the ledger
		during := *c
		during.Journal = new(rig.Journal)
		l := startLoad(t, &during, retryable)
		l.awaitProgress(100)
		l.mu.Lock()
		before.keys, before.sealed = slices.Concat(before.keys, l.keys), slices.Concat(before.sealed, l.sealed)
		l.mu.Unlock()
		backup := filepath.Join(t.TempDir(), "backup")
		create := func() error {
			_, err := c.Node(2).Run("", "backup", "create", "--out", backup)
			return err
		}
		if err := create(); err != nil {
			t.Fatal(err)
		}
		if err := create(); err == nil || !strings.Contains(err.Error(), "file exists") {
			t.Errorf("over another backup: %v", err)
		}
		l.awaitProgress(50)
		l.end()

		for _, n := range c.Nodes {
			n.Kill()
			if err := n.WipeState(); err != nil {
				t.Fatal(err)
			}
		}
		restore(t, c, backup)
		before.verify()
		records, err := c.Node(3).Ledger()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int{"CreateBackup": 1, "RestoreCluster": 1, "InitializeCluster": 1} {
			count := 0
			for i := range records.Events {
				if records.Events[i].EventName == name {
					count++
				}
			}
			if count != want {
				t.Errorf("%d records of %s", count, name)
			}
		}
	})
}

// restore makes the first node a new cluster, which the others join.
func restore(t *testing.T, c *rig.Cluster, backup string) {
	t.Helper()
	for _, n := range c.Nodes {
		if n == c.Node(1) {
			out, err := n.Run("", "restore", "--from", backup)
			if err != nil {
				t.Fatal(err)
			}
			var restored struct{ LedgerSize int64 }
			if err := json.Unmarshal(out, &restored); err != nil || restored.LedgerSize == 0 {
				t.Errorf("restore printed %s, %v", out, err)
			}
		} else {
			token, err := c.Node(1).Run("", "token", "create")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Run(string(token), "join"); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		c.Await(t, n)
	}
}
