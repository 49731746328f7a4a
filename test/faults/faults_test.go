package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/rig"
)

var (
	seedFlag    = flag.Uint64("faults.seed", 1, "first seed; each further run has the next")
	minutesFlag = flag.Float64("faults.minutes", 0, "minutes after which no further run begins; 0: one run of each kind of partition")
	onceFlag    = flag.Bool("faults.once", false, "one run, with what the seed and the flags say")
	lengthFlag  = flag.Duration("faults.length", 12*time.Second, "time under faults of one run")
	nodesFlag   = flag.Int("faults.nodes", 0, "nodes; 0: as the seed says")
	hsmFlag     = flag.String("faults.hsm", "", "soft or softhsm; empty: as the seed says")
	raceFlag    = flag.Bool("faults.race", false, "run the nodes under the race detector")
	clockFlag   = flag.Bool("faults.clocks", false, "step the nodes' clocks; the binary is then one whose time.Now can be wrong")
	tagsFlag    = flag.String("faults.tags", "", "build tags of the nodes, such as planted_early")
	onlyFlag    = flag.String("faults.only", "", "names of the nemeses that act, with commas between; empty: all")
	folderFlag  = flag.String("faults.dir", "", "where the folders of failed runs go; empty: the system's folder for temporary files")
)

func TestFaults(t *testing.T) {
	tools := prepareTools(t, *minutesFlag > 0 || *onceFlag)
	began := time.Now()
	var total figures
	for i := 0; more(i, began, tools); i++ {
		seed := *seedFlag + uint64(i)
		cfg := decide(seed, i, tools)
		f := figures{Runs: 1, Without: tools.without()}
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { f = run(t, seed, cfg, tools) })
		if !ok && f.Violations == 0 {
			f.Violations = 1 // what the end of the cluster showed
		}
		total.add(f)
		fmt.Printf("seed %d (%v): %v real=%v\n", seed, cfg, f, time.Since(began).Round(time.Second))
	}
	fmt.Println("faults:", total)
}

func more(run int, began time.Time, tools tools) bool {
	switch {
	case *onceFlag:
		return run == 0
	case *minutesFlag == 0:
		return run < len(tools.kinds)
	}
	return run == 0 || time.Since(began).Minutes() < *minutesFlag
}

// prepareTools builds what runs need, with a later release where they may upgrade.
func prepareTools(t *testing.T, upgrade bool) (tools tools) {
	t.Helper()
	dir := t.TempDir()
	var err error
	more := []string{"-tags=" + *tagsFlag}
	if *onlyFlag != "" {
		tools.only = strings.Split(*onlyFlag, ",")
	}
	if tools.clocks = *clockFlag; tools.clocks {
		arguments, err := overlay(dir)
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, arguments...)
	}
	if tools.binary, err = rig.Build(dir, *raceFlag, more...); err != nil {
		t.Fatal(err)
	}
	if upgrade {
		more[0] += "," + nextTag
		if tools.next, err = rig.Build(t.TempDir(), *raceFlag, more...); err != nil {
			t.Fatal(err)
		}
	}
	tools.kinds = rig.Kinds(t)
	if len(tools.kinds) > 1 {
		if tools.module, err = buildModule(dir); err != nil {
			t.Fatal(err)
		}
	}
	place, err := newNamespace()
	if tools.root = err == nil; !tools.root {
		t.Logf("networks and disks do not fail in this run: %v", err)
		return tools
	}
	if err := place.close(); err != nil {
		t.Fatal(err)
	}
	err = canBeFrail(t.TempDir())
	if tools.frail = err == nil; !tools.frail {
		t.Logf("disks are full at times in this run and fail in no other way: %v", err)
	}
	return tools
}

// decide draws what no flag decides.
func decide(seed uint64, run int, tools tools) config {
	r := numbers(seed, forConfig)
	cfg := config{nodes: 3 + 2*(r.IntN(3)/2), hsm: tools.kinds[r.IntN(len(tools.kinds))]}
	cfg.logStore = []string{"boltdb", "wal"}[r.IntN(2)]
	// One in four lives on a file system of the kernel's own.
	cfg.frail = tools.frail && r.IntN(4) > 0
	if *minutesFlag == 0 && !*onceFlag {
		cfg.frail = tools.frail
		cfg.nodes, cfg.hsm = 3, tools.kinds[run]
	}
	if *nodesFlag != 0 {
		cfg.nodes = *nodesFlag
	}
	if *hsmFlag != "" {
		cfg.hsm = *hsmFlag
	}
	return cfg
}

// run runs one seed and checks what happened.
func run(t *testing.T, seed uint64, cfg config, tools tools) figures {
	t.Helper()
	dir, err := os.MkdirTemp(*folderFlag, fmt.Sprintf("cofre-faults-%d-", seed))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "faults.log"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(log, "seed %d, %v, %v\n", seed, cfg, *lengthFlag)
	t.Cleanup(func() { leave(t, dir, seed, cfg, log) })
	w := start(t, dir, cfg, tools, log)
	w.live(t, dir, seed)
	f := w.figures()
	f.Without = tools.without()
	f.Answered = answered(w.recorder.Ops())
	report(t, w, dir)
	return f
}

// live is the whole of a run: torture, heal, judge.
func (w *world) live(t *testing.T, dir string, seed uint64) {
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	watchers.Go(func() { w.supervise(ctx) })
	watchers.Go(func() { w.look(ctx) })
	watchers.Go(func() { w.progress(ctx) })
	api := newAPI(t, w)
	w.torture(api, seed, *lengthFlag)
	w.heal(api)
	cancel()
	watchers.Wait()
	if len(w.problems) == 0 || w.well() == nil {
		w.judge(t, dir)
	}
}

// progress says now and then how far a long run is.
func (w *world) progress(ctx context.Context) {
	for sleep(ctx, 15*time.Second) {
		f := w.figures()
		fmt.Printf("  %v: operations=%d faults=%d violations=%d\n",
			time.Since(w.began).Round(time.Second), f.Operations, f.Faults, f.Violations)
	}
}

// report writes down what was found.
func report(t *testing.T, w *world, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(history.Write(file, w.recorder.Ops()), file.Close()); err != nil {
		t.Error(err)
	}
	text := ""
	for i, p := range w.problems {
		text += p.String() + "\n"
		if i < 20 {
			t.Error(p)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "problems"), []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}

// leave removes the folder of a good run, and says where that of another is.
func leave(t *testing.T, dir string, seed uint64, cfg config, log *os.File) {
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if !t.Failed() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		return
	}
	t.Logf("history, logs, data and pictures: %s", dir)
	t.Logf("again: scripts/faults --seed %d --length %v --nodes %d --hsm %s%s", seed, *lengthFlag, cfg.nodes, cfg.hsm, flags())
}

// flags are those of scripts/faults that a seed does not decide.
func flags() (text string) {
	if *clockFlag {
		text += " --clocks"
	}
	if *raceFlag {
		text += " --race"
	}
	if *onlyFlag != "" {
		text += " --only " + *onlyFlag
	}
	if *tagsFlag != "" {
		text += " --tags " + *tagsFlag
	}
	return text
}
