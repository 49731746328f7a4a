//go:build !planted_member

package cluster

const plantedMember = false // see planted_member.go
