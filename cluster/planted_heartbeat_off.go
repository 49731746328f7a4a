//go:build !planted_heartbeat

package cluster

const plantedHeartbeat = false // see planted_heartbeat.go
