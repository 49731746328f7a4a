package sim

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestSchedule: a seed has one schedule, which survives being written and read.
func TestSchedule(t *testing.T) {
	for seed := range uint64(50) {
		s := NewSchedule(seed, time.Hour, usualWeight)
		if again := NewSchedule(seed, time.Hour, usualWeight); !reflect.DeepEqual(s, again) {
			t.Fatalf("seed %d has two schedules:\n%v\n%v", seed, s, again)
		}
		path := filepath.Join(t.TempDir(), "schedule.json")
		if err := s.Write(path); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadSchedule(path); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("seed %d is read as\n%v (%v), was\n%v", seed, again, err, s)
		}
		if !slices.IsSortedFunc(s.Faults, func(a, b Fault) int { return int(a.At - b.At) }) || len(s.Faults) < 20 {
			t.Errorf("seed %d has faults %v", seed, s.Faults)
		}
	}
}

// TestShrink: of a schedule that fails because of three faults, these remain.
func TestShrink(t *testing.T) {
	s := NewSchedule(7, time.Hour, usualWeight)
	guilty := []Fault{s.Faults[3], s.Faults[4], s.Faults[17]}
	fails := func(s Schedule) bool {
		for _, g := range guilty {
			if !slices.ContainsFunc(s.Faults, func(f Fault) bool { return reflect.DeepEqual(f, g) }) {
				return false
			}
		}
		return true
	}
	trials := 0
	small := shrink(s, func(s Schedule) bool { trials++; return fails(s) }, func() bool { return true })
	if !reflect.DeepEqual(small.Faults, guilty) || small.Length > guilty[2].At+guilty[2].Hold+afterwards {
		t.Errorf("after %d trials there remain %v within %v", trials, small.Faults, time.Duration(small.Length))
	}
	if none := shrink(s, func(Schedule) bool { return true }, func() bool { return true }); len(none.Faults) != 0 {
		t.Errorf("of a schedule that fails whatever happens there remain %v", none.Faults)
	}
	if same := shrink(s, fails, func() bool { return false }); !reflect.DeepEqual(same, s) {
		t.Error("shrinking takes more time than it has")
	}
}
