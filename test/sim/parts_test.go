package sim

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestDiskCrash: what was acknowledged survives every crash, what was not comes
// in order or not at all, and what the dead process writes goes nowhere.
func TestDiskCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(200) {
			disk := NewDisk(numbers(seed, forDisks))
			logs := &logStore{disk}
			if err := logs.StoreLogs([]*raft.Log{{Index: 1}, {Index: 2}}); err != nil {
				t.Fatal(err)
			}
			go func() { _ = logs.StoreLogs([]*raft.Log{{Index: 3}, {Index: 4}}) }()
			time.Sleep(time.Duration(seed) * 5 * time.Microsecond)
			next := disk.Crash()
			synctest.Wait()
			if err := logs.StoreLog(&raft.Log{Index: 5}); err != nil {
				t.Fatal(err)
			}
			survivors := &logStore{next}
			last, _ := survivors.LastIndex()
			if last < 2 || last > 4 {
				t.Fatalf("seed %d: the log ends at %d", seed, last)
			}
			for i := uint64(1); i <= last; i++ {
				if err := survivors.GetLog(i, new(raft.Log)); err != nil {
					t.Errorf("seed %d: entry %d: %v", seed, i, err)
				}
			}
		}
	})
}

// TestDiskFaults: a failed write says so, a hanging one waits.
func TestDiskFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := NewDisk(numbers(1, forDisks))
		disk.Hang()
		began := time.Now()
		time.AfterFunc(time.Minute, disk.Resume)
		if err := (&stableStore{disk}).SetUint64([]byte("k"), 7); err != nil || time.Since(began) < time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		disk.Fail()
		if err := (&logStore{disk}).StoreLog(&raft.Log{Index: 1}); !errors.Is(err, syscall.EIO) {
			t.Errorf("got %v", err)
		}
		if value, err := (&stableStore{disk.Crash()}).GetUint64([]byte("k")); value != 7 || err != nil {
			t.Errorf("got %d, %v", value, err)
		}
	})
}

// dialed makes a connection from a to b.
func dialed(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	listener, err := n.Host("b").Listen("b:1")
	if err != nil {
		t.Fatal(err)
	}
	if near, err = n.Host("a").Dial(context.Background(), "b:1"); err != nil {
		t.Fatal(err)
	}
	if far, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestNetworkCut: a cut delays; one that lasts ends connections, and one way only
// what goes that way.
func TestNetworkCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(numbers(1, forNetwork))
		near, far := dialed(t, n)
		n.Cut("a", "b")
		if _, err := near.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write([]byte("in time")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 10)
		began := time.Now()
		if k, err := near.Read(b); string(b[:k]) != "in time" || err != nil || time.Since(began) > time.Second {
			t.Errorf("%q, %v after %v", b[:k], err, time.Since(began))
		}
		time.AfterFunc(3*time.Second, func() { n.Mend("a", "b") })
		if k, err := far.Read(b); string(b[:k]) != "late" || err != nil || time.Since(began) < 3*time.Second {
			t.Errorf("%q, %v after %v", b[:k], err, time.Since(began))
		}
		n.Cut("a", "b")
		if _, err := far.Read(b); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := n.Host("b").Dial(ctx, "a:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dialing across a cut: %v", err)
		}
	})
}

// TestNetworkEnds: how a peer hears of the end of the other side.
func TestNetworkEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(n *Network, far net.Conn)
		want  error
		after time.Duration
	}{
		{"closed", func(_ *Network, far net.Conn) { far.Close() }, io.EOF, 0},
		{"killed", func(n *Network, _ net.Conn) { n.Kill("b", false) }, syscall.ECONNRESET, 0},
		{"without power", func(n *Network, _ net.Conn) { n.Kill("b", true) }, syscall.ETIMEDOUT, keepAlive},
		{"reset", func(n *Network, _ net.Conn) { n.Reset("a", "b") }, syscall.ECONNRESET, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNetwork(numbers(1, forNetwork))
				near, far := dialed(t, n)
				began := time.Now()
				test.end(n, far)
				_, err := near.Read(make([]byte, 1))
				if took := time.Since(began); !errors.Is(err, test.want) || took < test.after || took > test.after+time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
