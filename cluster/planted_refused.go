//go:build planted_refused

package cluster

// plantedRefused plants a bug for scripts/planted to find: a lost leadership counts as a refusal: the batch gets another number and may take effect twice.
const plantedRefused = true
