//go:build !planted_directory

package authz

const plantedDirectory = false // see planted_directory.go
