package history

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Head is the ledger as a node showed it at some time.
type Head struct {
	Node string
	Size int64
	Root tlog.Hash
}

// CheckHeads: every tree that any node ever showed is a prefix of the ledger (P4).
func CheckHeads(heads []Head, size int64, tree tlog.HashReader) (problems []Problem) {
	for _, head := range heads {
		if head.Size > size {
			problems = append(problems, problem("tree", "%s showed %d records, there are %d", head.Node, head.Size, size))
			continue
		}
		root, err := tlog.TreeHash(head.Size, tree)
		if err != nil {
			root, err = tlog.Hash{}, fmt.Errorf("reading the tree: %w", err)
		}
		if err != nil || root != head.Root {
			problems = append(problems, problem("tree", "%s showed root %v at %d records, it is %v (%v)",
				head.Node, head.Root, head.Size, root, err))
		}
	}
	return problems
}
