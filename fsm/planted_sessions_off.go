//go:build !planted_sessions

package fsm

const plantedSessions = false // see planted_sessions.go
