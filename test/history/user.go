package history

import "slices"

func ofUser(op *Op) string {
	if slices.Contains([]string{"CreateUser", "GetUser", "DeleteUser"}, op.Name) {
		return op.User
	}
	return ""
}

// stepUser: a name has at most one user, whose id is the state. Whoever comes
// later has another id.
func stepUser(state string, op *Op) (bool, string) {
	unknown, there := op.Outcome != Answered, state != ""
	switch op.Name {
	case "CreateUser":
		if there {
			return unknown || op.Code == "EntityAlreadyExists", state
		}
		return unknown || op.Code == "", op.Resolved
	case "DeleteUser":
		return unknown || fitsPresence(op, there, "NoSuchEntity"), ""
	}
	return unknown || fitsPresence(op, there, "NoSuchEntity") && op.Resolved == state, state
}
