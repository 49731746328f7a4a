package shape

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String constrains a string. The zero value allows every string.
type String struct {
	// Min and Max bound the length in UTF-16 code units, which is what AWS counts.
	// A Max of 0 is no bound.
	Min, Max int
	// Pattern is nil, or what the string must match.
	Pattern *Pattern
	// Enum is nil, or all the values that there are.
	Enum []string
	// Sensitive keeps the value out of messages (the model's trait of that name).
	Sensitive bool
}

// Pattern is a regular expression of the model and a function that decides the
// same, which a test holds against the expression.
type Pattern struct {
	Expr  string
	Match func(string) bool
}

// Blob bounds the length of a blob in bytes. A Max of 0 is no bound.
type Blob struct{ Min, Max int }

// Integer bounds a number. A Max of 0 is no bound.
type Integer struct{ Min, Max int }

// List bounds the number of a list's elements. A Max of 0 is no bound.
type List struct{ Min, Max int }

// Constraints as messages name them.
const notNull = "Member must not be null"

func minLength(n int) string {
	return "Member must have length greater than or equal to " + strconv.Itoa(n)
}

func maxLength(n int) string {
	return "Member must have length less than or equal to " + strconv.Itoa(n)
}

func minValue(n int) string {
	return "Member must have value greater than or equal to " + strconv.Itoa(n)
}

func maxValue(n int) string {
	return "Member must have value less than or equal to " + strconv.Itoa(n)
}

// violated answers the constraints that a string does not meet.
func (c *String) violated(s string) (broken []string) {
	if c.Max > 0 && len(s) > c.Max && units(s) > c.Max { // never more units than bytes
		broken = append(broken, maxLength(c.Max))
	}
	if c.Min > 0 && len(s) < 3*c.Min && units(s) < c.Min { // at most three bytes a unit
		broken = append(broken, minLength(c.Min))
	}
	if c.Pattern != nil && !c.Pattern.Match(s) {
		broken = append(broken, "Member must satisfy regular expression pattern: "+c.Pattern.Expr)
	}
	if c.Enum != nil && !slices.Contains(c.Enum, s) {
		broken = append(broken, "Member must satisfy enum value set: ["+strings.Join(c.Enum, ", ")+"]")
	}
	return broken
}

// all answers every constraint: what a message about a list's elements names.
func (c *String) all() (constraints []string) {
	if c.Max > 0 {
		constraints = append(constraints, maxLength(c.Max))
	}
	if c.Min > 0 {
		constraints = append(constraints, minLength(c.Min))
	}
	if c.Pattern != nil {
		constraints = append(constraints, "Member must satisfy regular expression pattern: "+c.Pattern.Expr)
	}
	if c.Enum != nil {
		constraints = append(constraints, "Member must satisfy enum value set: ["+strings.Join(c.Enum, ", ")+"]")
	}
	return append(constraints, notNull)
}

func (c *String) describe() Description {
	d := Description{Type: "string", Min: c.Min, Max: c.Max, Enum: c.Enum}
	if c.Pattern != nil {
		d.Pattern = c.Pattern.Expr
	}
	return d
}

// outside answers the bound that n breaks, worded by the functions given, or "".
func outside(n, minimum, maximum int, least, most func(int) string) string {
	switch {
	case n < minimum:
		return least(minimum)
	case maximum > 0 && n > maximum:
		return most(maximum)
	}
	return ""
}

// units is the length of s in UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// maxEcho bounds what a message repeats of a value, in bytes: answers and audit
// records stay small whatever is sent.
const maxEcho = 512

// show is how messages show a value of the string's.
func (c *String) show(s string) string {
	if c.Sensitive {
		return ""
	}
	return echo(s)
}

// echo quotes a value for a message.
func echo(s string) string {
	if len(s) > maxEcho {
		end := maxEcho
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + "..."
	}
	return "'" + s + "'"
}
