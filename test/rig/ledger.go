package rig

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/ledger"
)

// Ledger is a node's whole ledger as `cofre ledger records` prints it: one record
// a line, exactly the bytes that were hashed.
type Ledger struct {
	Records [][]byte
	Events  []ledger.Event
	// Root is computed here from the records (RFC 6962 §2.1).
	Root tlog.Hash
	// Tree has the hashes below it.
	Tree tlog.HashReader
}

// Ledger reads the node's ledger.
func (n *Node) Ledger() (*Ledger, error) {
	out, err := n.Run("", "ledger", "records")
	if err != nil {
		return nil, err
	}
	l := new(Ledger)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 2*ledger.MaxEvent)
	var hashes storedHashes
	for lines.Scan() {
		record := bytes.Clone(lines.Bytes()) // the scanner uses its buffer again
		var event ledger.Event
		if err := json.Unmarshal(record, &event); err != nil {
			return nil, fmt.Errorf("record %d of %s: %w", len(l.Records), n.Name, err)
		}
		if err := hashes.append(int64(len(l.Records)), record); err != nil {
			return nil, err
		}
		l.Records = append(l.Records, record)
		l.Events = append(l.Events, event)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	l.Tree = &hashes
	l.Root, err = tlog.TreeHash(int64(len(l.Records)), &hashes)
	return l, err
}

// ByRequest counts the records of each request id. Records that no request
// caused are not counted, nor those that another account has, too.
func (l *Ledger) ByRequest() map[string]int {
	count := make(map[string]int, len(l.Events))
	for i := range l.Events {
		if id := l.Events[i].RequestID; id != "" && l.Events[i].UserIdentity.Type != "AWSAccount" {
			count[id]++
		}
	}
	return count
}

// storedHashes is a tree's hashes in tlog's order; it implements tlog.HashReader.
type storedHashes []tlog.Hash

func (s *storedHashes) append(n int64, record []byte) error {
	more, err := tlog.StoredHashes(n, record, s)
	*s = append(*s, more...)
	return err
}

// ReadHashes implements tlog.HashReader.
func (s *storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(*s)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = (*s)[index]
	}
	return hashes, nil
}
