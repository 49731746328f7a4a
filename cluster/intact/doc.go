// Package intact tells whether what a disk gives back is what was written: entries
// of the Raft log, Raft's term and vote, and small files. The stores of others
// below it check little of what they read, and nothing of what is gone.
//
//	log.go     a checksum for each entry, within the entry
//	stable.go  term and vote under one checksum
//	mark.go    how far both had come: what is gone from their end is missed
//	bolt.go    the structure of a bbolt file, before bbolt trusts it
//	wal.go     raft-wal's list of segments, and the names of segments in errors
//	seal.go    a checksum at the end of a small file
//
// It owns no policy: it answers [ErrChanged] with the name of a file, and the node
// does not start. It does not mend. A checksum is CRC-32C (RFC 3720 §12.1), which
// finds each change of up to three bits in what is written here, and others but for
// one in 4,294,967,296. It is against disks, not against people who can write to
// them.
package intact
