package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Result is one run. Latencies are in milliseconds, CPU in microseconds of all
// nodes together for each operation.
type Result struct {
	Operation  string  `json:"operation"`
	Nodes      int     `json:"nodes"`
	Clients    int     `json:"clients"`
	Seconds    float64 `json:"seconds"`
	Operations int     `json:"operations"`
	Errors     int     `json:"errors"`
	Rate       float64 `json:"operationsPerSecond"`
	P50        float64 `json:"p50"`
	P90        float64 `json:"p90"`
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	NodeCPU    float64 `json:"nodeCPUMicroseconds"`
	LoadCPU    float64 `json:"loadGeneratorCPUMicroseconds"`
	Cores      int     `json:"cores"`
}

func measure(ctx context.Context, opts options, op string, clients int) (Result, error) {
	first := newClient(opts.target, opts.target.addrs[0])
	defer first.close()
	work, err := newWorkload(ctx, first, op)
	if err != nil {
		return Result{}, err
	}
	load := newLoad(opts, work, clients)
	if err := load.connect(ctx); err != nil {
		return Result{}, err
	}
	defer load.close()
	if _, err := load.run(ctx, opts.warmup); err != nil {
		return Result{}, err
	}
	nodesBefore, selfBefore := nodesCPU(opts.target.pidsDir), processCPU("self")
	start := time.Now()
	samples, err := load.run(ctx, opts.duration)
	elapsed := time.Since(start)
	if err != nil {
		return Result{}, err
	}
	result := summarize(samples, elapsed)
	result.Operation, result.Clients, result.Nodes = work.operation, clients, len(opts.target.addrs)
	result.NodeCPU = perOperation(nodesCPU(opts.target.pidsDir)-nodesBefore, result.Operations)
	result.LoadCPU = perOperation(processCPU("self")-selfBefore, result.Operations)
	return result, nil
}

// load is a set of clients, one goroutine each.
type load struct {
	clients []*client
	work    workload
}

type samples struct {
	latencies []time.Duration
	errors    int
	lastError error
}

func newLoad(opts options, work workload, n int) *load {
	l := &load{work: work}
	for i := range n {
		addr := opts.target.addrs[0]
		if opts.spread {
			addr = opts.target.addrs[i%len(opts.target.addrs)]
		}
		l.clients = append(l.clients, newClient(opts.target, addr))
	}
	return l
}

func (l *load) connect(ctx context.Context) error {
	for _, c := range l.clients {
		if err := c.dial(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) close() {
	for _, c := range l.clients {
		c.close()
	}
}

func (l *load) run(ctx context.Context, d time.Duration) (samples, error) {
	var (
		all  samples
		mu   sync.Mutex
		wait sync.WaitGroup
		end  = time.Now().Add(d)
	)
	for _, c := range l.clients {
		wait.Go(func() {
			one := l.loop(ctx, c, end)
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, one.latencies...)
			all.errors += one.errors
			if one.lastError != nil {
				all.lastError = one.lastError
			}
		})
	}
	wait.Wait()
	if len(all.latencies) == 0 {
		return all, fmt.Errorf("nothing succeeded: %w", all.lastError)
	}
	return all, ctx.Err()
}

func (l *load) loop(ctx context.Context, c *client, end time.Time) samples {
	var s samples
	for ctx.Err() == nil {
		body := l.work.body()
		start := time.Now()
		if start.After(end) {
			break
		}
		if _, err := c.call(ctx, l.work.operation, body); err != nil {
			s.errors++
			s.lastError = err
			continue
		}
		s.latencies = append(s.latencies, time.Since(start))
	}
	return s
}

func summarize(s samples, elapsed time.Duration) Result {
	slices.Sort(s.latencies)
	at := func(q float64) float64 {
		return float64(s.latencies[int(q*float64(len(s.latencies)-1))].Microseconds()) / 1000
	}
	return Result{
		Seconds: elapsed.Seconds(), Operations: len(s.latencies), Errors: s.errors,
		Rate: float64(len(s.latencies)) / elapsed.Seconds(),
		P50:  at(0.50), P90: at(0.90), P99: at(0.99), Max: at(1),
		Cores: runtime.NumCPU(),
	}
}

func perOperation(cpu time.Duration, operations int) float64 {
	return float64(cpu.Nanoseconds()) / 1000 / float64(operations)
}

// nodesCPU is the CPU time that the cluster's processes have used.
func nodesCPU(pidsDir string) time.Duration {
	files, err := filepath.Glob(filepath.Join(pidsDir, "*.pid"))
	if err != nil {
		return 0
	}
	var total time.Duration
	for _, file := range files {
		if pid, err := os.ReadFile(file); err == nil {
			total += processCPU(strings.TrimSpace(string(pid)))
		}
	}
	return total
}

// processCPU reads utime and stime, fields 14 and 15 of /proc/PID/stat, in ticks
// of 10 ms (proc(5), USER_HZ); 0 where there is no such file.
func processCPU(pid string) time.Duration {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

func printHeader(w io.Writer) {
	fmt.Fprintf(w, "%-16s %5s %7s %10s %8s %8s %8s %8s %7s %10s %10s\n",
		"operation", "nodes", "clients", "ops/s", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors", "node µs/op", "load µs/op")
}

func printResult(w io.Writer, r Result) {
	fmt.Fprintf(w, "%-16s %5d %7d %10.0f %8.2f %8.2f %8.2f %8.2f %7d %10.0f %10.0f\n",
		r.Operation, r.Nodes, r.Clients, r.Rate, r.P50, r.P90, r.P99, r.Max, r.Errors, r.NodeCPU, r.LoadCPU)
}
