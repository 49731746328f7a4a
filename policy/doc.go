// Package policy parses and evaluates AWS IAM policy documents: key policies,
// identity policies, trust policies, session policies and permissions
// boundaries ("Policies and permissions in IAM" and "IAM JSON policy element
// reference" in the IAM user guide).
//
// It is pure: it does no I/O, reads no clock and keeps no state, so the same
// request and documents always give the same [Decision]. A [Document] is
// compiled once and immutable afterwards. [Evaluate] has the whole of AWS's
// logic within and across accounts.
//
// It is safe against whoever writes a policy. No pattern makes it backtrack
// more than a product of two lengths, each evaluation has a budget of steps
// ([MaxSteps]) instead of a time limit, so that replicas agree, and an
// evaluation that runs out of it allows nothing.
package policy
