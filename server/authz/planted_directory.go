//go:build planted_directory

package authz

// plantedDirectory plants a bug for scripts/planted to find: decisions are not guarded by the directory.
const plantedDirectory = true
