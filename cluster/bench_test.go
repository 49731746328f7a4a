package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// BenchmarkTransact commits transactions like those of an Encrypt, a read of a
// shared record and an event of CloudTrail's size, on three nodes of one process.
func BenchmarkTransact(b *testing.B) {
	for _, logStore := range []string{LogStoreBoltDB, LogStoreWAL} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/clients=%d", logStore, clients), func(b *testing.B) {
				benchmarkTransact(b, logStore, clients)
			})
		}
	}
}

func benchmarkTransact(b *testing.B, logStore string, clients int) {
	f := newCluster(b, 3, func(c *Config) { c.LogStore, c.Logger = logStore, nil })
	f.unchecked = true
	shared := fsm.Table[uint64]{Name: "key"}
	if _, err := f.nodes[0].node.Transact(f.ctx(), "bench", func(tx *fsm.Txn) error {
		value := uint64(1)
		return shared.Put(tx, &value, "k")
	}); err != nil {
		b.Fatal(err)
	}
	padding := strings.Repeat(`"member": "value of a member",`, 25)
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	term := f.nodes[0].node.Status().Term
	b.ResetTimer()
	start := time.Now()
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			node := f.nodes[c%len(f.nodes)].node
			var id [16]byte
			for range (b.N + clients - 1) / clients {
				rand.Read(id[:])
				event := fmt.Appendf(nil, `{"requestID":"%s",%s"end":1}`, hex.EncodeToString(id[:]), padding)
				if _, err := node.Transact(b.Context(), "bench", func(tx *fsm.Txn) error {
					tx.SetEvent(event)
					_, err := shared.Get(tx, "k")
					return err
				}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.StopTimer()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "txn/s")
	b.ReportMetric(float64(f.nodes[0].node.Status().Term-term), "elections")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/txn")
}
