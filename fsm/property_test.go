package fsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/fsm"
)

// TestReplicasAreIdentical applies one random log on several replicas that are
// restarted, crash, and get each other's checkpoints at random points. At every
// step each of them is what the oracle says of its applied index, and has the
// hash that a replica to which nothing ever happened had there.
func TestReplicasAreIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrew(t)
		defer c.close()
		t.Repeat(map[string]func(*rapid.T){
			"propose":  c.propose,
			"repeat":   c.repeat,
			"noise":    c.noise,
			"skip":     func(*rapid.T) { c.log(nil, nil) },
			"apply":    c.apply,
			"restart":  c.restart,
			"crash":    c.crash,
			"transfer": c.transfer,
			"":         c.check,
		})
		for _, r := range c.replicas {
			c.catchUp(t, r, len(c.oracle.entries))
		}
		c.check(t)
	})
}

// crew is a log and the replicas that apply it. The steady one applies each
// entry at once.
type crew struct {
	oracle   *oracle
	plans    []*plan
	sequence map[string]uint64
	steady   *fsm.Store
	replicas []*replica
	copies   int
}

type replica struct {
	fs    *vfs.MemFS
	store *fsm.Store
}

func newCrew(t *rapid.T) *crew {
	c := &crew{oracle: newOracle(), sequence: map[string]uint64{}, steady: openQuick(t, vfs.NewMem())}
	for range 3 {
		fs := vfs.NewCrashableMem()
		c.replicas = append(c.replicas, &replica{fs: fs, store: openQuick(t, fs)})
	}
	return c
}

func openQuick(t *rapid.T, fs vfs.FS) *fsm.Store {
	s, err := tryOpen(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *crew) close() {
	c.steady.Close()
	for _, r := range c.replicas {
		r.store.Close()
	}
}

func (c *crew) log(command []byte, p *plan) {
	c.oracle.append(command, p)
	c.plans = append(c.plans, p)
	c.feed(c.steady, len(c.oracle.entries)-1, len(c.oracle.entries))
}

// propose logs a batch of transactions that read what is there now, or now and
// then something else.
func (c *crew) propose(t *rapid.T) {
	node := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node")
	c.sequence[node]++
	sequence := c.sequence[node]
	p := &plan{batch: &fsm.Batch{
		Node:        node,
		Incarnation: rapid.Uint64Range(1, 3).Draw(t, "incarnation"),
		Sequence:    sequence,
		Settled:     sequence - min(sequence, rapid.Uint64Range(1, 4).Draw(t, "unsettled")),
	}}
	for range rapid.IntRange(0, 4).Draw(t, "transactions") {
		c.transaction(t, p)
	}
	command, err := fsm.EncodeBatch(p.batch)
	if err != nil {
		t.Fatal(err)
	}
	c.log(command, p)
}

func (c *crew) transaction(t *rapid.T, p *plan) {
	key := rapid.Custom(func(t *rapid.T) fsm.Key {
		return fsm.NewKey("t", fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "key")))
	})
	now := c.oracle.moments[len(c.oracle.entries)]
	var reads []fsm.Read
	for _, k := range rapid.SliceOfNDistinct(key, 0, 3, rapid.ID).Draw(t, "reads") {
		rev := now.records[k].Rev
		if rapid.IntRange(0, 9).Draw(t, "outdated") == 0 {
			rev++
		}
		reads = append(reads, fsm.Read{Key: k, Rev: rev})
	}
	var writes []fsm.Write
	for _, k := range rapid.SliceOfNDistinct(key, 0, 3, rapid.ID).Draw(t, "writes") {
		w := fsm.Write{Key: k}
		if rapid.IntRange(0, 3).Draw(t, "delete") != 0 {
			w.Value = []byte(rapid.StringN(0, 20, 2000).Draw(t, "value"))
		}
		writes = append(writes, w)
	}
	p.add(reads, writes, rapid.SampledFrom([]string{"", "event", fmt.Sprint("at ", len(c.oracle.entries))}).Draw(t, "event"))
}

// repeat logs a command that is in the log already.
func (c *crew) repeat(t *rapid.T) {
	if len(c.plans) == 0 {
		t.Skip("nothing to repeat")
	}
	i := rapid.IntRange(0, len(c.plans)-1).Draw(t, "entry")
	c.log(c.oracle.entries[i].Command, c.plans[i])
}

func (c *crew) noise(t *rapid.T) {
	c.log(append([]byte{1}, rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "bytes")...), nil)
}

func (c *crew) pick(t *rapid.T) *replica {
	return rapid.SampledFrom(c.replicas).Draw(t, "replica")
}

func (c *crew) apply(t *rapid.T) {
	r := c.pick(t)
	from := int(r.store.Applied())
	c.catchUp(t, r, rapid.IntRange(from, len(c.oracle.entries)).Draw(t, "to"))
}

func (c *crew) catchUp(t *rapid.T, r *replica, to int) {
	for from := int(r.store.Applied()); from < to; {
		n := rapid.IntRange(1, to-from).Draw(t, "entries")
		if err := c.feed(r.store, from, from+n); err != nil {
			t.Fatal(err)
		}
		from += n
	}
}

// feed applies the entries from ≤ i < to, Raft's own by Skip, and one that has
// been applied already in front.
func (c *crew) feed(s *fsm.Store, from, to int) error {
	var run []fsm.Entry
	flush := func() error {
		results, err := s.Apply(run)
		if err != nil {
			return err
		}
		for i, got := range results {
			want := c.oracle.results[run[i].Index-1]
			if int(run[i].Index) <= from {
				want = fsm.Result{Index: run[i].Index, Err: fsm.ErrStale}
			}
			if !same(got, want) {
				return fmt.Errorf("entry %d answers %+v, want %+v", run[i].Index, got, want)
			}
		}
		run = nil
		return nil
	}
	for _, e := range c.oracle.entries[max(from-1, 0):to] {
		if e.Command != nil {
			run = append(run, e)
			continue
		}
		if err := errors.Join(flush(), s.Skip(e.Index)); err != nil {
			return err
		}
	}
	return flush()
}

func same(a, b fsm.Result) bool {
	if len(a.Outcomes) == 0 && len(b.Outcomes) == 0 {
		a.Outcomes, b.Outcomes = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func (c *crew) restart(t *rapid.T) {
	r := c.pick(t)
	before := r.store.Status()
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.store = openQuick(t, r.fs)
	if after := r.store.Status(); after != before {
		t.Fatalf("closed at %+v, opened at %+v", before, after)
	}
}

// crash loses what was not synced, some of it or all.
func (c *crew) crash(t *rapid.T) {
	r := c.pick(t)
	crashed := r.fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "unsynced percent"),
		RNG:                 rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
	})
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.fs, r.store = crashed, openQuick(t, crashed)
}

// transfer installs one replica's checkpoint in another, and crashes it then.
func (c *crew) transfer(t *rapid.T) {
	from, to := c.pick(t), c.pick(t)
	c.copies++
	dir := fmt.Sprintf("/data/copy-%d", c.copies)
	status, err := from.store.Checkpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := fsm.WriteCheckpoint(from.fs, dir, &stream); err != nil {
		t.Fatal(err)
	}
	if err := to.store.Restore(&stream); err != nil {
		t.Fatal(err)
	}
	crashed := to.fs.CrashClone(vfs.CrashCloneCfg{})
	if err := to.store.Close(); err != nil {
		t.Fatal(err)
	}
	to.fs, to.store = crashed, openQuick(t, crashed)
	if got := to.store.Status(); got != status {
		t.Fatalf("restored %+v of a checkpoint of %+v", got, status)
	}
}

func (c *crew) check(t *rapid.T) {
	for i, r := range c.replicas {
		status := r.store.Status()
		if err := c.oracle.moments[status.Applied].check(r.store); err != nil {
			t.Fatalf("replica %d at %d: %v", i, status.Applied, err)
		}
		if status.Applied == 0 {
			continue
		}
		for _, s := range []*fsm.Store{c.steady, r.store} {
			if was, ok := s.HashAt(status.Applied); !ok || was != status {
				t.Fatalf("replica %d is at %+v, was %+v (%v)", i, status, was, ok)
			}
		}
	}
}
