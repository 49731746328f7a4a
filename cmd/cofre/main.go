// Command cofre runs a node of a Cofre cluster and is the operators' tool for it.
//
// It owns the wiring and nothing else: flags, one configuration, and which part
// is handed to which. It holds no rule of any API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// impatience is how long after the first signal another one ends the process at
// once. Wrappers such as timeout(1) send the first one twice.
const impatience = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(impatience, stop) })
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}
