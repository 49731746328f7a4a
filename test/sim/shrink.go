package sim

import (
	"slices"
	"time"
)

// shrink answers a schedule with fewer faults, and a shorter one, that fails too,
// by delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input", §3.2). A run is not wholly determined, so fails decides
// how often it tries; a schedule that fails once in a while may be kept for one
// that is shorter. more says whether there is time for another trial.
func shrink(s Schedule, fails func(Schedule) bool, more func() bool) Schedule {
	for parts := 2; len(s.Faults) > 0 && more(); {
		size := (len(s.Faults) + parts - 1) / parts
		smaller, found := without(s, size, fails, more)
		switch {
		case found:
			s, parts = smaller, max(parts-1, 2)
		case size == 1:
			return shorten(s, fails, more)
		default:
			parts = min(2*parts, len(s.Faults))
		}
	}
	return shorten(s, fails, more)
}

// without answers the first schedule without some size faults in a row that fails.
func without(s Schedule, size int, fails func(Schedule) bool, more func() bool) (Schedule, bool) {
	for from := 0; from < len(s.Faults) && more(); from += size {
		smaller := s
		smaller.Faults = slices.Delete(slices.Clone(s.Faults), from, min(from+size, len(s.Faults)))
		if fails(smaller) {
			return smaller, true
		}
	}
	return s, false
}

// afterwards is how long clients work behind the last fault of a schedule that was
// made shorter.
const afterwards = Duration(time.Minute)

func shorten(s Schedule, fails func(Schedule) bool, more func() bool) Schedule {
	end := afterwards
	for _, f := range s.Faults {
		end = max(end, f.At+f.Hold+afterwards)
	}
	shorter := s
	shorter.Length = end
	if end < s.Length && more() && fails(shorter) {
		return shorter
	}
	return s
}
