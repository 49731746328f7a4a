//go:build unix && !linux

package soft

// excludeFromDumps does nothing: there is no portable way.
func excludeFromDumps([]byte) {}
