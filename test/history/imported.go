package history

const pendingImport = "PendingImport"

func ofImport(op *Op) string {
	if op.Origin == External && op.Name != "GetParametersForImport" {
		return op.Key
	}
	return ""
}

// stepImport: a key is enabled while its material is there, and never takes any
// other. Foreign material is brought only after the key's own has been.
func stepImport(state string, op *Op) (bool, string) {
	unknown, succeeded := op.Outcome != Answered, op.Code == ""
	switch {
	case op.Name == "ImportKeyMaterial" && op.Value == Foreign:
		return unknown || op.Code == "IncorrectKeyMaterialException", state
	case op.Name == "ImportKeyMaterial":
		return unknown || succeeded, enabled
	case op.Name == "DeleteImportedKeyMaterial":
		return unknown || succeeded, pendingImport
	case op.Name == "DescribeKey":
		return unknown || succeeded && op.State == state, state
	}
	return unknown || fitsPresence(op, state == enabled, "KMSInvalidStateException"), state
}
