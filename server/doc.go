// Package server is the HTTPS front end of the AWS APIs: it authenticates a
// request, runs its operation as one transaction together with its audit record,
// and answers once that is committed.
//
// It is the only package that knows HTTP statuses and that turns failures of the
// cluster and the HSM into exceptions. It knows no operation and no leader. It
// is safe because all operations take one path (serve.go), on which an answer
// exists only after Transact has returned: what is not recorded is answered with
// an exception that clients retry, never as success or denial. Requests that do
// not authenticate are counted and logged here, and leave no record: otherwise
// anybody could fill the ledger.
package server
