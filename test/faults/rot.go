package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/test/faults/frail"
)

// What can fail of a disk, and where: anywhere, Raft's log, the state, the rest.
var (
	accesses = []frail.Kind{frail.Read, frail.Write, frail.Write, frail.Sync, frail.Sync, frail.Sync}
	places   = []string{"", "raft/", "raft/", "state/", "partition", "incarnation"}
)

// diskErrors has reads, writes or syncs of a node's disk fail: of all, or of what
// lies in one place. The node starts again and again meanwhile, and cannot.
func (w *world) diskErrors(r *rand.Rand) {
	w.illDisk(r, func(v *victim) {
		kind, under := accesses[r.IntN(len(accesses))], places[r.IntN(len(places))]
		w.note("  %s's disk: each %v under %q fails", v.Name, kind, under)
		v.frail.Fail(kind, under)
	})
}

// diskHangs has them take until the disk is well again.
func (w *world) diskHangs(r *rand.Rand) {
	w.illDisk(r, func(v *victim) {
		kind, under := accesses[r.IntN(len(accesses))], places[r.IntN(len(places))]
		w.note("  %s's disk: each %v under %q hangs", v.Name, kind, under)
		v.frail.Hang(kind, under)
	})
}

// illDisk makes a disk ill for a while.
func (w *world) illDisk(r *rand.Rand, ill func(*victim)) {
	v := w.some(r)
	if r.IntN(2) == 0 {
		v = w.leader(r)
	}
	if !v.diskBusy.TryLock() {
		return
	}
	defer v.diskBusy.Unlock()
	defer v.excuse()()
	ill(v)
	defer v.frail.Heal()
	w.while(r)
}

// loseWrites takes the power of nodes away: what they did not sync is lost.
func (w *world) loseWrites(r *rand.Rand) {
	victims := w.shuffled(r)
	switch r.IntN(4) {
	case 0:
	case 1:
		victims = victims[:len(victims)/2+1]
	case 2:
		victims = victims[:1]
	default:
		victims = []*victim{w.leader(r)}
	}
	seeds := make(map[*victim]uint64)
	for _, v := range victims {
		seeds[v] = r.Uint64()
	}
	w.hold(victims, func(v *victim) {
		v.Kill()
		v.frail.LosePower(rand.New(rand.NewPCG(seeds[v], 0)))
	}, func() time.Duration { return span(r, 0, 5*time.Second) }, w.start)
}

// rotBits flips bits in a file of a node that is down, and starts it. It must say
// which file is not what it was, and end; or the bits make no difference.
func (w *world) rotBits(r *rand.Rand) {
	v := w.some(r)
	// One node at a time: the others have what it lost.
	if !w.rotting.TryLock() {
		return
	}
	defer w.rotting.Unlock()
	if !v.diskBusy.TryLock() {
		return
	}
	defer v.diskBusy.Unlock()
	if !v.changing.TryLock() {
		return
	}
	defer v.changing.Unlock()
	if !v.member.Load() {
		return
	}
	defer v.excuse()()
	v.Kill()
	file, err := v.rot(r)
	if err != nil {
		w.check("flipping a bit", err)
	} else {
		w.note("  %s: %s", v.Name, file)
		ctx, cancel := context.WithTimeout(context.Background(), span(r, 2*time.Second, 12*time.Second))
		refusal, err := v.tryRotten(ctx, file)
		cancel()
		w.note("  %s says: %s", v.Name, refusal)
		if err != nil {
			w.fail("bit rot", "%s: %v", v.Name, err)
		}
		v.Kill()
		v.frail.Restore()
	}
	w.start(v)
}

// rot flips a bit of a file: each kind of file as likely as another, however many
// there are of it.
func (v *victim) rot(r *rand.Rand) (string, error) {
	kinds := make(map[string][]string)
	var order []string
	for _, file := range v.frail.Files() {
		kind := fileKind(file)
		if kinds[kind] == nil {
			order = append(order, kind)
		}
		kinds[kind] = append(kinds[kind], file)
	}
	files := kinds[order[r.IntN(len(order))]]
	return v.frail.Rot(files[r.IntN(len(files))], r)
}

// fileKind is what a file is: its name without numbers, or its folder and ending.
func fileKind(file string) string {
	name := strings.TrimRight(filepath.Base(file), "0123456789")
	if ext := filepath.Ext(name); strings.Trim(name, "0123456789-") == ext {
		return filepath.Dir(file)[:strings.IndexByte(file+"/", '/')] + "/*" + ext
	}
	return name
}

// tryRotten starts a node with a rotten file, and lets it run until ctx is done or
// it ends, which it has to explain.
func (v *victim) tryRotten(ctx context.Context, where string) (refusal string, err error) {
	before := len(v.Log(wholeLog))
	if err := v.Start(); err != nil {
		return "", err
	}
	for v.Running() && sleep(ctx, 20*time.Millisecond) {
	}
	log := []byte(v.Log(wholeLog)[before:])
	if v.Running() {
		return "nothing", nil
	}
	refusal = lastLine(log)
	file, _, _ := strings.Cut(where, ",")
	for _, bad := range []string{"panic:", "fatal error:"} {
		if bytes.Contains(log, []byte(bad)) {
			return refusal, fmt.Errorf("%s: it panics: %s", where, log)
		}
	}
	if !strings.Contains(refusal, filepath.Base(file)) {
		err = errors.New(where + ": what it says does not name the file: " + refusal)
	}
	return refusal, err
}

// wholeLog is more lines than a node logs.
const wholeLog = 1 << 30

func lastLine(log []byte) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return lines[len(lines)-1]
}
