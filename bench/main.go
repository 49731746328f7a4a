// Command bench drives a running cluster with concurrent clients and prints
// rates, latencies and the nodes' CPU time per operation.
//
// Each client is one goroutine with one kept-alive TLS connection that signs
// every request and waits for its answer before it sends the next (a closed
// loop). Request bodies differ, so nothing that was verified before can be
// reused by the server.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

type options struct {
	target   target
	ops      []string
	clients  []int
	duration time.Duration
	warmup   time.Duration
	spread   bool
	jsonPath string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	opts, err := parseOptions()
	if err != nil {
		return err
	}
	var results []Result
	printHeader(os.Stdout)
	for _, op := range opts.ops {
		for _, n := range opts.clients {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			result, err := measure(ctx, opts, op, n)
			if err != nil {
				return fmt.Errorf("%s with %d clients: %w", op, n, err)
			}
			printResult(os.Stdout, result)
			results = append(results, result)
		}
	}
	if opts.jsonPath == "" {
		return nil
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(opts.jsonPath, append(b, '\n'), 0o644)
}

func parseOptions() (options, error) {
	var (
		opts    options
		envFile = flag.String("env", ".cofre/env", "environment file that scripts/up wrote")
		ops     = flag.String("ops", "encrypt,decrypt,datakey,describe,createkey", "operations to drive")
		clients = flag.String("clients", "1,16,64", "numbers of concurrent clients")
	)
	flag.DurationVar(&opts.duration, "duration", 10*time.Second, "measured time of each run")
	flag.DurationVar(&opts.warmup, "warmup", 2*time.Second, "unmeasured time before each run")
	flag.BoolVar(&opts.spread, "spread", false, "spread the clients over all nodes instead of the first")
	flag.StringVar(&opts.jsonPath, "json", "", "also write the results to this file")
	flag.Parse()

	target, err := readTarget(*envFile)
	if err != nil {
		return opts, err
	}
	opts.target = target
	opts.ops = strings.Split(*ops, ",")
	for _, field := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return opts, fmt.Errorf("-clients %q: want whole numbers of at least 1", *clients)
		}
		opts.clients = append(opts.clients, n)
	}
	return opts, nil
}
