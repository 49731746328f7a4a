//go:build cofre_nextlevel

package fsm

// testLevels is how many levels this build for tests has more than the release.
const testLevels Level = 1
