package fsm

import "fmt"

// Level is a feature level of a cluster: what its members may rely on of each
// other. A release knows the levels from LowestLevel to HighestLevel. A kind of
// command, or a higher limit, belongs to a level: it is proposed only in clusters
// that have come to it, so that each member knows it. The zero Level is level 1,
// of releases that knew of none.
type Level uint32

const (
	// LowestLevel is the lowest level of a cluster that this release can be a member
	// of.
	LowestLevel Level = 1
	// HighestLevel is the highest.
	HighestLevel = 1 + testLevels
)

// OrFirst is the level, 1 for the zero Level.
func (l Level) OrFirst() Level { return max(l, 1) }

// The first byte of a command says of what kind it is. commandNext is a batch of
// the level that only builds for tests have.
const (
	commandBatch = 1
	commandNext  = 2
)

// kindAt is the kind of batches that a cluster at a level is given.
func kindAt(l Level) byte {
	if testLevels > 0 && l > 1 {
		return commandNext
	}
	return commandBatch
}

// CommandLevel answers the level that a cluster has come to before a command of
// this kind is proposed. It answers ErrUnknownCommand for a kind of a later
// release, ErrMalformed for a command of no kind.
func CommandLevel(command []byte) (Level, error) {
	switch {
	case len(command) == 0, command[0] == 0:
		return 0, ErrMalformed
	case command[0] == commandBatch:
		return 1, nil
	case testLevels > 0 && command[0] == commandNext:
		return 2, nil
	}
	return 0, fmt.Errorf("%w: kind %d", ErrUnknownCommand, command[0])
}
