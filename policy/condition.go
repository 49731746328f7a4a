package policy

// condition is one key under one operator of a Condition element. All conditions
// of a statement must hold.
type condition struct {
	operator
	name   string // the operator as written
	key    string // as written
	lower  string // the key as Context wants it
	values []string
	any    matcher
}

// holds says whether the condition is met ("Condition operators" and "Set
// operators" in the IAM user guide).
func (c *condition) holds(e *evaluation) bool {
	values := e.get(c.lower)
	if c.null {
		absent := "false"
		if len(values) == 0 {
			absent = "true"
		}
		return c.any.match(e, absent)
	}
	if len(values) == 0 {
		return c.absent()
	}
	if c.set == forAnyValue || c.set == single && !c.negated {
		return c.some(e, values)
	}
	// ForAllValues; and a negated operator without a quantifier, which is the
	// negation of the operator that it is named after.
	for _, v := range values {
		if c.any.match(e, v) == c.negated {
			return false
		}
	}
	return true
}

// some says whether some value of the request is as the operator wants it.
func (c *condition) some(e *evaluation, values []string) bool {
	for _, v := range values {
		if c.any.match(e, v) != c.negated {
			return true
		}
	}
	return false
}

// absent is the answer where the request has no such key: yes for …IfExists, for
// ForAllValues ("also true if there are no keys in the request") and for negated
// operators.
func (c *condition) absent() bool {
	switch {
	case c.ifExists || c.set == forAllValues:
		return true
	case c.set == forAnyValue:
		return false
	}
	return c.negated
}
