// Package operator has the operations of those who run a cluster: accounts and
// their administrators, members of the cluster, what state its nodes and their
// HSM partitions are in. They are routes under /v1/ (package rest), the same on the
// API port and on the Unix socket of a node's own host.
//
// On the API port they are for principals of the operator account, the first
// account of the cluster, as its policies allow (cofre:CreateAccount on
// arn:aws:cofre::ACCOUNT:account/*): no policy of another account can allow them, so a
// tenant's administrator is never the cluster's. On the socket whoever may open it
// is an operator. Either way an act is one transaction with its record
// (docs/adr/0013-the-admin-api.md).
//
// The package answers secrets once and keeps none. It has no state of its own.
package operator
