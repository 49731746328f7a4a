package fsm_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

// TestCommandsOfLaterReleases: what a command of an unknown kind does is unknown,
// so a replica stops before it, and shows what was before. A release that knows it
// goes on from there.
func TestCommandsOfLaterReleases(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	apply(t, s, entry(t, 1, put("a", "1")))
	want := s.Status()
	later := entry(t, 2, put("b", "2"))
	later.Command[0] = 255
	if _, err := s.Apply([]fsm.Entry{later, entry(t, 3, put("c", "3"))}); !errors.Is(err, fsm.ErrUnknownCommand) {
		t.Errorf("applied: %v", err)
	}
	if _, err := s.Apply([]fsm.Entry{entry(t, 2, put("b", "2"))}); err == nil {
		t.Error("goes on behind it")
	}
	if got := s.Status(); got != want {
		t.Errorf("the state is %+v, and was %+v", got, want)
	}
	if err := s.Close(); !errors.Is(err, fsm.ErrUnknownCommand) {
		t.Errorf("closed: %v", err)
	}
	s = open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	defer s.Close()
	if got := apply(t, s, entry(t, s.Applied()+1, put("b", "2")))[0]; got.Err != nil {
		t.Errorf("the next release: %+v", got)
	}
}

// TestCommandLevel: batches belong to the level that they were encoded for.
func TestCommandLevel(t *testing.T) {
	for level := fsm.LowestLevel; level <= fsm.HighestLevel; level++ {
		command := encode(t, &fsm.Batch{Node: "n", Incarnation: 1, Sequence: 1, Level: level, Txns: []*fsm.Txn{put("a", "1")}})
		if got, err := fsm.CommandLevel(command); got != level || err != nil {
			t.Errorf("level %d: %d, %v", level, got, err)
		}
		s := open(t, vfs.NewMem())
		if got := apply(t, s, fsm.Entry{Index: 1, Command: command})[0]; got.Err != nil || value(t, s, "a") != "1" {
			t.Errorf("level %d: %+v", level, got)
		}
		s.Close()
	}
	for _, command := range [][]byte{nil, {0}} {
		if _, err := fsm.CommandLevel(command); !errors.Is(err, fsm.ErrMalformed) {
			t.Errorf("%v: %v", command, err)
		}
	}
}
