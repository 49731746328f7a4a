// Package faults torments real clusters: processes of the shipped binary, each in
// a network namespace of its own whose only ways out are links that the test
// holds, with a file system that the test can fill, and with a PKCS #11 module
// that the test can kill. Clients of test/workload work meanwhile, and
// test/history and test/rig judge what they saw.
//
// It owns the faults and the order in which a seed has them happen. It never
// looks into a process: nodes are known by their ports, files and command line.
// README.md says what is injected, what is checked and what was found.
package faults
