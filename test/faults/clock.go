package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxStep is less than what SigV4 forgives (5 minutes), so that clients whose
// clocks are right are let in.
const maxStep = 4 * time.Minute

// overlay writes to dir what `go build -overlay` needs for a binary whose clocks
// can be wrong, and answers its arguments. Go asks the kernel's vDSO for the time,
// so nothing outside of the process can change the answer for one process alone.
func overlay(dir string) ([]string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking for GOROOT: %w", err)
	}
	goroot := strings.TrimSpace(string(out))
	original := filepath.Join(goroot, "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return nil, err
	}
	const before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed := bytes.Replace(source, []byte(before), []byte(before+"\tsec += int64(*skew)\n"), 1)
	if bytes.Equal(changed, source) {
		return nil, fmt.Errorf("%s is not as expected", original)
	}
	skew, err := filepath.Abs(filepath.Join("testdata", "skew.go.txt"))
	if err != nil {
		return nil, err
	}
	replace := map[string]string{
		original: filepath.Join(dir, "time.go"),
		filepath.Join(goroot, "src", "time", "skew.go"): skew,
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "overlay.json")
	return []string{"-overlay", file}, errors.Join(
		os.WriteFile(filepath.Join(dir, "time.go"), changed, 0o600),
		os.WriteFile(file, text, 0o600),
	)
}

// stepClocks steps the clocks of some nodes to and fro.
func (w *world) stepClocks(r *rand.Rand) {
	for range 1 + r.IntN(4) {
		for _, v := range w.shuffled(r)[:1+r.IntN(len(w.members()))] {
			by := time.Duration(r.Int64N(2*int64(maxStep))) - maxStep
			w.note("  %s's clock is wrong by %v", v.Name, by)
			w.check("stepping a clock", v.clock.set(int32(by/time.Second)))
		}
		sleep(context.Background(), span(r, 0, 5*time.Second))
	}
	for _, v := range w.victims {
		w.check("setting a clock right", v.clock.set(0))
	}
}
