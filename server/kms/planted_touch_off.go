//go:build !planted_touch

package kms

const plantedTouch = false // see planted_touch.go
