package history

import (
	"slices"
	"strings"
)

// firstRegion is where multi-Region keys are made.
const firstRegion = "us-east-1"

func ofRegions(op *Op) string {
	if op.Region != "" {
		return op.Key
	}
	return ""
}

// stepRegions: related keys are there, in the Regions that the state lists, the
// primary one first, or they are not. Value is the Region that an operation names.
func stepRegions(state string, op *Op) (bool, string) {
	set, unknown := strings.Split(state, " "), op.Outcome != Answered
	there, primary := slices.Contains(set, op.Region), set[0] == op.Region
	named := slices.Contains(set, op.Value)
	refusal, next := "", state
	switch {
	case !there:
		refusal = "NotFoundException"
	case op.Name == "DescribeKey":
		fits := op.Resolved == set[0] && slices.Equal(op.Listed, set[1:])
		return unknown || op.Code == "" && fits, state
	case op.Name == "Encrypt", op.Name == "Decrypt":
	case !primary:
		refusal = "UnsupportedOperationException"
	case op.Name == "ReplicateKey" && named:
		refusal = "AlreadyExistsException"
	case op.Name == "ReplicateKey":
		next = related(set[0], append(set[1:], op.Value))
	case op.Name == "UpdatePrimaryRegion" && (!named || op.Value == set[0]):
		refusal = "NotFoundException"
	case op.Name == "UpdatePrimaryRegion":
		next = related(op.Value, slices.DeleteFunc(set, func(region string) bool { return region == op.Value }))
	case op.Code == "LimitExceededException": // rotated too often
		refusal = op.Code
	}
	return unknown || op.Code == refusal, next
}

// related is the state of a set of keys.
func related(primary string, replicas []string) string {
	slices.Sort(replicas)
	return strings.Join(append([]string{primary}, replicas...), " ")
}
