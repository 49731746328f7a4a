package policy

import "strings"

// family is a condition operator without its prefix and suffix ("IAM JSON policy
// elements: Condition operators" in the IAM user guide).
type family struct {
	// negated: it holds where no value of the policy matches.
	negated bool
	// compile makes what compares a value of the request with those of the policy.
	// Its error says which value of the policy is none of the operator's type.
	compile func(values []string, variables bool) (matcher, error)
}

// matcher says whether a value of the request matches any value of the policy.
type matcher interface {
	match(e *evaluation, value string) bool
}

// operator is a condition operator as policies write it.
type operator struct {
	family
	null     bool // Null, which looks whether the key is there
	ifExists bool
	set      quantifier
}

// quantifier says how an operator takes a key with several values ("Set operators
// for multivalued context keys").
type quantifier uint8

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// parseOperator answers the operator of a name.
func parseOperator(name string) (op operator, ok bool) {
	if rest, found := strings.CutPrefix(name, "ForAllValues:"); found {
		op.set, name = forAllValues, rest
	} else if rest, found := strings.CutPrefix(name, "ForAnyValue:"); found {
		op.set, name = forAnyValue, rest
	}
	name, op.ifExists = strings.CutSuffix(name, "IfExists")
	if name == "Null" {
		op.null = true
		op.compile = newBools
		return op, op.set == single && !op.ifExists
	}
	op.family = familyOf(name)
	return op, op.compile != nil
}

// familyOf answers the family of a name; compile is nil where there is none.
func familyOf(name string) family {
	switch name {
	case "StringEquals":
		return family{compile: newEqualStrings}
	case "StringNotEquals":
		return family{compile: newEqualStrings, negated: true}
	case "StringEqualsIgnoreCase":
		return family{compile: newFoldedStrings}
	case "StringNotEqualsIgnoreCase":
		return family{compile: newFoldedStrings, negated: true}
	case "StringLike":
		return family{compile: newLikeStrings}
	case "StringNotLike":
		return family{compile: newLikeStrings, negated: true}
	case "Bool":
		return family{compile: newBools}
	case "BinaryEquals":
		return family{compile: newBinaries}
	case "IpAddress":
		return family{compile: newAddresses}
	case "NotIpAddress":
		return family{compile: newAddresses, negated: true}
	case "ArnEquals", "ArnLike": // "behave identically"
		return family{compile: newARNs}
	case "ArnNotEquals", "ArnNotLike":
		return family{compile: newARNs, negated: true}
	}
	if rest, ok := strings.CutPrefix(name, "Numeric"); ok {
		return ordered(rest, newNumbers)
	}
	if rest, ok := strings.CutPrefix(name, "Date"); ok {
		return ordered(rest, newDates)
	}
	return family{}
}

// ordered answers the family of a comparison of numbers or dates.
func ordered(comparison string, compile func(order) func([]string, bool) (matcher, error)) family {
	switch comparison {
	case "Equals":
		return family{compile: compile(order{equal: true})}
	case "NotEquals":
		return family{compile: compile(order{equal: true}), negated: true}
	case "LessThan":
		return family{compile: compile(order{less: true})}
	case "LessThanEquals":
		return family{compile: compile(order{less: true, equal: true})}
	case "GreaterThan":
		return family{compile: compile(order{greater: true})}
	case "GreaterThanEquals":
		return family{compile: compile(order{greater: true, equal: true})}
	}
	return family{}
}

// order says which outcomes of a comparison match.
type order struct{ less, equal, greater bool }

func (o order) holds(comparison int) bool {
	switch {
	case comparison < 0:
		return o.less
	case comparison > 0:
		return o.greater
	}
	return o.equal
}
