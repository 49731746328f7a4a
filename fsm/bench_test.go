package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

const benchBatch = 60

// openFull opens a store with the caches that a node has.
func openFull(b *testing.B) *fsm.Store {
	b.Helper()
	s, err := fsm.Open(fsm.Config{Dir: "/db", FS: vfs.NewMem()})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// benchEvent is shaped like the record of an Encrypt: 1.1 KB, most of it alike
// from one to the next.
func benchEvent(rng *rand.Rand) []byte {
	id := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", rng.Uint32(), rng.Uint32()&0xffff, rng.Uint32()&0xfff, rng.Uint32()&0xffff, rng.Uint64()&0xffffffffffff)
	}
	e := fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE%d","arn":"arn:aws:iam::111122223333:user/app%d","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE","userName":"app"},"eventTime":"2026-11-25T00:41:51Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.%d","userAgent":"aws-sdk-go-v2/1.48.0 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/kms#1.62.5","requestParameters":{"keyId":"arn:aws:kms:us-east-1:111122223333:key/%s","encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"order":"%d"}},"responseElements":null,"additionalEventData":{"keyMaterialId":"%s"},"requestID":"%s","eventID":"%s","readOnly":true,"resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"arn:aws:kms:us-east-1:111122223333:key/x"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"kms.us-east-1.example.com"}}`,
		rng.IntN(100), rng.IntN(100), rng.IntN(256), id(), rng.IntN(1000000), strings.Repeat(id(), 2)[:64], id(), id())
	return []byte(e)
}

// benchCommands makes batches of transactions that read two records, write one
// of their own and append an event.
func benchCommands(b *testing.B, n int) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	commands := make([][]byte, n)
	empty := openFull(b)
	defer empty.Close()
	for i := range commands {
		batch := benchBatchOf(rng, empty, uint64(i+1))
		command, err := fsm.EncodeBatch(batch)
		if err != nil {
			b.Fatal(err)
		}
		commands[i] = command
	}
	return commands
}

func benchBatchOf(rng *rand.Rand, view fsm.View, sequence uint64) *fsm.Batch {
	batch := &fsm.Batch{Node: "node-1", Incarnation: 1, Sequence: sequence, Settled: sequence - 1}
	for range benchBatch {
		tx := fsm.NewTxn(view)
		key := fmt.Sprint(rng.IntN(1000))
		tx.Get(fsm.NewKey("key", "111122223333", key))
		tx.Get(fsm.NewKey("access-key", "AKIAEXAMPLE"+key))
		tx.Put(fsm.NewKey("key-usage", "111122223333", key), []byte(`{"last":"2026-11-25T00:41:51Z","by":"Encrypt"}`))
		tx.SetEvent(benchEvent(rng))
		batch.Txns = append(batch.Txns, tx)
	}
	return batch
}

func BenchmarkApply(b *testing.B) {
	const commands = 500
	prepared := benchCommands(b, commands)
	b.ReportAllocs()
	b.ResetTimer()
	var s *fsm.Store
	for i := range b.N {
		if i%commands == 0 { // the guards of the transactions fit a new store
			b.StopTimer()
			if s != nil {
				s.Close()
			}
			s = openFull(b)
			b.StartTimer()
		}
		index := uint64(i%commands + 1)
		results, err := s.Apply([]fsm.Entry{{Index: index, Command: prepared[index-1]}})
		if err != nil || results[0].Outcomes[0] != fsm.Committed {
			b.Fatalf("%+v %v", results, err)
		}
	}
	b.StopTimer()
	s.Close()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatch), "ns/txn")
}

func BenchmarkEncodeBatch(b *testing.B) {
	s := openFull(b)
	defer s.Close()
	batch := benchBatchOf(rand.New(rand.NewPCG(1, 2)), s, 1)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		command, err := fsm.EncodeBatch(batch)
		if err != nil {
			b.Fatal(err)
		}
		size = len(command)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatch), "ns/txn")
	b.ReportMetric(float64(size)/benchBatch, "B/txn")
}

func BenchmarkGet(b *testing.B) {
	s := openFull(b)
	defer s.Close()
	keys := make([]fsm.Key, 1000)
	tx := fsm.NewTxn(s)
	for i := range keys {
		keys[i] = fsm.NewKey("key", "111122223333", fmt.Sprint(i))
		tx.Put(keys[i], make([]byte, 300))
	}
	command, err := fsm.EncodeBatch(&fsm.Batch{Node: "n", Sequence: 1, Txns: []*fsm.Txn{tx}})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Apply([]fsm.Entry{{Index: 1, Command: command}}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if rec, err := s.Get(keys[i%len(keys)]); err != nil || rec == nil {
				b.Fatal(err)
			}
		}
	})
}
