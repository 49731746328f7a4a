// Package imports owns nothing but a test: it holds the import graph of the
// module against the table that says which folder may import which, so that
// the layers stay layers.
package imports
