// Package rig runs real clusters for tests: cofre processes on ports of
// 127.0.0.1, each with a partition and a data directory of its own, which a test
// can kill, pause and start again.
//
// It owns the processes and everything in the test's temporary directory, and
// leaves nothing behind: the processes end with the test, even when it crashes.
// It never talks to a node in another way than clients and operators do.
//
// Every test that starts a cluster ends with the same check, see [Cluster.Check]:
// nothing that was answered is missing from the ledger, the replicas are
// identical, and no planted secret is found in what the nodes wrote.
package rig
