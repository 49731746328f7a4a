// Package attestation verifies the attestation documents of AWS Nitro Enclaves
// and NitroTPM, and encrypts what only the enclave of such a document can read.
//
// A document says which image runs in an enclave (its PCRs) and holds a public
// key whose private half never leaves it; the hypervisor signs both. The package
// trusts the root certificates that it is given and nothing else. It does no I/O
// but to draw random bytes, keeps no state, knows no key of ours, and never decides who may do
// what: policies do, by the PCRs.
//
// It is safe because a document that is seen by others, or sent twice, is worth
// nothing to them: what is answered is encrypted to the key inside it. For the
// same reason there is no nonce to check. How old a document may be is said by the
// certificate that signed it, which AWS issues for hours.
package attestation
