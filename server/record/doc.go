// Package record owns the bytes of an audit record: it turns what is known of a
// call, or of work that nobody called for, into the CloudTrail event that the
// ledger hashes and keeps.
//
// It never sees a request or a response: an operation declares what of them is
// recorded (call.Record), so that what was not declared cannot leak. It does no
// I/O. A record never exceeds ledger.MaxEvent: members that are too large are
// replaced by their hash, so a caller cannot make a call that has no record.
package record
