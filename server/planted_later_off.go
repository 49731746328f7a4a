//go:build !planted_later

package server

const plantedLater = false // see planted_later.go
