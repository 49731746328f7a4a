package history

// Statuses of an access key; the last is not AWS's.
const (
	active  = "Active"
	deleted = "deleted"
)

// ofCredential: an access key is what a call is about, or what it is signed with.
func ofCredential(op *Op) string {
	if op.As != "" {
		return op.As
	}
	return op.AccessKey
}

// stepCredential: only an active access key signs. An access key that there is has
// been made before, and cannot come back.
func stepCredential(state string, op *Op) (bool, string) {
	unknown := op.Outcome != Answered
	switch {
	case op.As != "" && op.Outcome == TurnedAway:
		return state != active, state
	case op.As != "": // with an answer or a record
		return state == active, state
	case state == deleted:
		return unknown || op.Code == "NoSuchEntity", state
	case op.Name == "DeleteAccessKey":
		return unknown || op.Code == "", deleted
	}
	return unknown || op.Code == "", op.Value
}
