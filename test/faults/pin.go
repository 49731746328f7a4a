package faults

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// exitPIN is the exit code of a node whose partition refuses the PIN.
const exitPIN = 3

// refuseLimit bounds how long a node may take to find out that its PIN is wrong.
const refuseLimit = time.Minute

// wrongPIN starts a node with a wrong PIN: it says so and ends, once and for each
// further try of a hasty operator. Then it gets the right one.
func (w *world) wrongPIN(r *rand.Rand) {
	v := w.some(r)
	if !v.moduleBusy.TryLock() {
		return // a token that does not work refuses nobody
	}
	defer v.moduleBusy.Unlock()
	if !v.diskBusy.TryLock() {
		return // neither does one whose disk is ill
	}
	defer v.diskBusy.Unlock()
	right, err := os.ReadFile(v.PINFile())
	if err != nil {
		w.check("reading a PIN", err)
		return
	}
	refuse := func(v *victim) {
		w.stop(v)
		w.check("changing a PIN", w.plantPIN(v))
		for range 1 + r.IntN(2) {
			w.refused(v)
		}
	}
	w.hold([]*victim{v}, refuse, func() time.Duration { return span(r, 0, 3*time.Second) }, func(v *victim) {
		w.check("changing a PIN back", os.WriteFile(v.PINFile(), right, 0o600))
		w.start(v)
	})
}

// plantPIN gives a node a wrong PIN, which it must not write anywhere.
func (w *world) plantPIN(v *victim) error {
	wrong := crand.Text()
	w.cluster.Secrets.Add("a wrong PIN of "+v.Name, []byte(wrong))
	return os.WriteFile(v.PINFile(), []byte(wrong), 0o600)
}

// refused starts a node, which must end and say why.
func (w *world) refused(v *victim) {
	w.start(v)
	ctx, cancel := context.WithTimeout(context.Background(), refuseLimit)
	defer cancel()
	code, err := v.AwaitEnd(ctx)
	if err != nil {
		w.fail("pin", "with a wrong PIN: %v", err)
		v.Kill()
		return
	}
	said := v.Log(1)
	if missing := unsaid(said, w.sayings(v)); code != exitPIN || missing != "" {
		w.fail("pin", "%s ended with code %d and without %q: %s", v.Name, code, missing, said)
	}
}

// sayings is what has to be in the last line of a node whose PIN is wrong.
func (w *world) sayings(v *victim) []string {
	if v.module == nil {
		return []string{"the PIN is wrong", "partition file"}
	}
	return []string{"the PIN is wrong", fmt.Sprintf("token %q", "cofre-"+v.Name), "in slot "}
}

// unsaid answers the first part that a text lacks, "" where it has all.
func unsaid(text string, parts []string) string {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return part
		}
	}
	return ""
}
