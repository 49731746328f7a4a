package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/cluster/intact"
)

// home is a node's data directory:
//
//	node.json    who the node is
//	incarnation  how often the node was started, and more
//	state/       the state machine's store
//	raft/        Raft's stores and snapshots
//	checkpoint   the largest checkpoint that the node has signed
//	tls/         ca.pem, node.pem, node.key
type home struct{ dir string }

func (h home) nodeFile() string        { return filepath.Join(h.dir, "node.json") }
func (h home) incarnationFile() string { return filepath.Join(h.dir, "incarnation") }
func (h home) divergedFile() string    { return filepath.Join(h.dir, "diverged") }
func (h home) checkpointFile() string  { return filepath.Join(h.dir, "checkpoint") }
func (h home) state() string           { return filepath.Join(h.dir, "state") }
func (h home) raft() string            { return filepath.Join(h.dir, "raft") }
func (h home) snapshots() string       { return filepath.Join(h.dir, "raft", "snapshots") }
func (h home) tls() string             { return filepath.Join(h.dir, "tls") }

// who is the content of node.json.
type who struct {
	Name     string `json:"name"`
	Member   string `json:"member"`
	LogStore string `json:"logStore"`
	// Unfinished is set while Init or Join is at work: the rest means nothing yet.
	Unfinished bool `json:"unfinished,omitempty"`
	// Peers are addresses of nodes that were members when this one joined.
	Peers []string `json:"peers,omitempty"`
	// Checksum is the CRC-32C of the file without it.
	Checksum string `json:"checksum"`
}

// encode answers the content of node.json, with its checksum.
func (w who) encode() ([]byte, error) {
	w.Checksum = ""
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the node file: %w", err)
	}
	w.Checksum = intact.Checksum(text)
	if text, err = json.MarshalIndent(w, "", "  "); err != nil {
		return nil, fmt.Errorf("encoding the node file: %w", err)
	}
	return append(text, '\n'), nil
}

// decodeWho reads node.json, which must be just what was written.
func decodeWho(path string, text []byte) (w who, err error) {
	if err := json.Unmarshal(text, &w); err != nil {
		return w, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	if again, err := w.encode(); err != nil || !bytes.Equal(again, text) {
		return w, fmt.Errorf("%w: %s is %w: its checksum differs", ErrDamaged, path, intact.ErrChanged)
	}
	return w, nil
}

// load reads who the node is and compares it with the configuration.
func (h home) load(cfg Config) (who, error) {
	var w who
	text, err := os.ReadFile(h.nodeFile())
	if errors.Is(err, os.ErrNotExist) {
		return w, fmt.Errorf("%w: %s", ErrNoNode, h.dir)
	}
	if err != nil {
		return w, fmt.Errorf("reading the node file: %w", err)
	}
	if w, err = decodeWho(h.nodeFile(), text); err != nil {
		return w, err
	}
	switch {
	case w.Unfinished && !cfg.founding:
		return w, fmt.Errorf("%w: %s is from an attempt that did not finish", ErrNoNode, h.dir)
	case w.Name != cfg.Name:
		return w, fmt.Errorf("%w: it is %s's, not %s's", ErrMismatch, w.Name, cfg.Name)
	case w.LogStore != cfg.LogStore:
		return w, fmt.Errorf("%w: its Raft log is kept in %s, not %s; a node cannot change that, but leave and join again",
			ErrMismatch, w.LogStore, cfg.LogStore)
	}
	if text, err := os.ReadFile(h.divergedFile()); err == nil {
		return w, fmt.Errorf("%w: %s", ErrDiverged, strings.TrimSpace(string(text)))
	}
	return w, nil
}

func (h home) save(w who) error {
	text, err := w.encode()
	if err != nil {
		return err
	}
	return durable.WriteFile(h.nodeFile(), text, 0o600)
}

// claim makes the directory ready for a new node and marks it as unfinished.
// What an Init or Join left behind that did not finish is removed.
func (h home) claim(cfg Config) error {
	if err := h.vacant(); err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if err := h.save(who{Name: cfg.Name, LogStore: cfg.LogStore, Unfinished: true}); err != nil {
		return err
	}
	// From here on a crash leaves a directory that the next claim clears.
	if err := h.clear(); err != nil {
		return err
	}
	for _, dir := range []string{h.state(), h.tls()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the data directory: %w", err)
		}
	}
	return cfg.Disk.CreateLog(h.raft())
}

// vacant is nil where no node lives in the directory.
func (h home) vacant() error {
	text, err := os.ReadFile(h.nodeFile())
	if err == nil {
		if w, err := decodeWho(h.nodeFile(), text); err == nil && w.Unfinished {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrOccupied, h.dir)
	}
	for _, path := range []string{h.state(), h.raft()} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%w: %s is there", ErrOccupied, path)
		}
	}
	return nil
}

// clear removes all of a node but the node file.
func (h home) clear() error {
	for _, path := range []string{h.state(), h.raft(), h.tls(), h.incarnationFile(), h.checkpointFile()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clearing the data directory: %w", err)
		}
	}
	return nil
}

// incarnate answers a number that grows with every start and is durable before
// the node says anything under it. It follows the clock, so that a directory
// brought back from a copy does not use a number again.
func (h home) incarnate(now time.Time) (uint64, error) {
	var last uint64
	text, err := intact.ReadFile(h.incarnationFile())
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return 0, fmt.Errorf("reading the incarnation: %w", damaged(err))
	default:
		if last, err = strconv.ParseUint(string(text), 10, 64); err != nil {
			return 0, fmt.Errorf("reading the incarnation: %w", err)
		}
	}
	next := max(last+1, uint64(max(now.UnixMilli(), 0)))
	if plantedIncarnation && last%8 == 3 {
		next = last
	}
	return next, intact.WriteFile(h.incarnationFile(), strconv.AppendUint(nil, next, 10))
}
