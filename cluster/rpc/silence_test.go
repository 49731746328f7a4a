package rpc

import (
	"bufio"
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilenceOfTheCancelled: a caller that gives a call up for another reason
// than its deadline gives the connection up too, where nothing was heard on it
// for long; otherwise the connection is kept.
func TestSilenceOfTheCancelled(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration
		dials int
	}{
		"at once":  {after: silence / 2, dials: 1},
		"too long": {after: silence, dials: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dials := 0
				client := NewClient(func(context.Context) (net.Conn, error) {
					dials++
					near, far := net.Pipe()
					go func() { // reads and never answers
						for r := bufio.NewReader(far); ; {
							if _, err := readFrame(r); err != nil {
								return
							}
						}
					}()
					return near, nil
				})
				defer client.Close()
				for range 2 {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(test.after, cancel)
					if _, err := client.Call(ctx, 1, nil); err == nil {
						t.Error("silence was taken for an answer")
					}
				}
				if dials != test.dials {
					t.Errorf("connected %d times, want %d", dials, test.dials)
				}
			})
		})
	}
}
