//go:build !planted_credentials

package server

const plantedCredentials = false // see planted_credentials.go
