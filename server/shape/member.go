package shape

import (
	"strconv"
	"strings"
)

// Text is a string member.
func Text[T any](name string, c String, field func(*T) *string) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: c.describe(),
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.text()
			return nil, err
		},
		check: func(req *T) []violation { return broken(c.show, *field(req), c.violated(*field(req))) },
		clear: func(req *T) { *field(req) = "" },
	}
}

// Bytes is a blob member. Its value is never repeated in a message.
func Bytes[T any](name string, c Blob, field func(*T) *[]byte) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "blob", Min: c.Min, Max: c.Max},
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.blob()
			return nil, err
		},
		check: func(req *T) []violation {
			if bound := outside(len(*field(req)), c.Min, c.Max, minLength, maxLength); bound != "" {
				return []violation{{constraint: bound}}
			}
			return nil
		},
		clear: func(req *T) { *field(req) = nil },
	}
}

// Number is an integer member; 0 where it is absent.
func Number[T any](name string, c Integer, field func(*T) *int) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "integer", Min: c.Min, Max: c.Max},
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.integer()
			return nil, err
		},
		check: func(req *T) []violation {
			n := *field(req)
			if bound := outside(n, c.Min, c.Max, minValue, maxValue); bound != "" {
				return []violation{{value: echo(strconv.Itoa(n)), constraint: bound}}
			}
			return nil
		},
		clear: func(req *T) { *field(req) = 0 },
	}
}

// Time is a timestamp member, in Unix milliseconds; 0 where it is absent.
func Time[T any](name string, field func(*T) *int64) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "timestamp"},
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.time()
			return nil, err
		},
		check: func(*T) []violation { return nil },
		clear: func(req *T) { *field(req) = 0 },
	}
}

// Flag is a boolean member; false where it is absent.
func Flag[T any](name string, field func(*T) *bool) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "boolean"},
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.boolean()
			return nil, err
		},
		check: func(*T) []violation { return nil },
		clear: func(req *T) { *field(req) = false },
	}
}

// Texts is a member that is a list of strings.
func Texts[T any](name string, c List, element String, field func(*T) *[]string) Member[T] {
	of := element.describe()
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "list", Min: c.Min, Max: c.Max, Member: &of},
		decode: func(in *scanner, req *T) ([]violation, error) {
			return nil, in.list(func() error {
				s, err := in.text()
				*field(req) = append(*field(req), s)
				return err
			})
		},
		check: func(req *T) []violation { return checkTexts(*field(req), c, &element) },
		clear: func(req *T) { *field(req) = nil },
	}
}

// checkTexts names the list, not the element, as AWS does for lists of strings.
func checkTexts(list []string, c List, element *String) (found []violation) {
	show := func() string { return echo("[" + strings.Join(list, ", ") + "]") }
	if bound := outside(len(list), c.Min, c.Max, minLength, maxLength); bound != "" {
		found = append(found, violation{value: show(), constraint: bound})
	}
	for _, s := range list {
		if len(element.violated(s)) > 0 {
			constraint := "Member must satisfy constraint: [" + strings.Join(element.all(), ", ") + "]"
			return append(found, violation{value: show(), constraint: constraint})
		}
	}
	return found
}

// Structs is a member that is a list of structures.
func Structs[T, E any](name string, c List, element *Struct[E], field func(*T) *[]E) Member[T] {
	of := element.Describe()
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "list", Min: c.Min, Max: c.Max, Member: &of},
		decode: func(in *scanner, req *T) (found []violation, err error) {
			err = in.list(func() error {
				var e E
				wrong, err := element.decode(in, &e)
				*field(req) = append(*field(req), e)
				for _, v := range wrong { // AWS counts from 1
					v.path = "." + strconv.Itoa(len(*field(req))) + ".member." + v.path
					found = append(found, v)
				}
				return err
			})
			return found, err
		},
		check: func(req *T) []violation {
			if bound := outside(len(*field(req)), c.Min, c.Max, minLength, maxLength); bound != "" {
				return []violation{{constraint: bound}}
			}
			return nil
		},
		clear: func(req *T) { *field(req) = nil },
	}
}

// Nested is a member that is a structure; nil where it is absent.
func Nested[T, E any](name string, of *Struct[E], field func(*T) **E) Member[T] {
	return Member[T]{
		name: name, label: label(name), model: of.Describe(),
		decode: func(in *scanner, req *T) ([]violation, error) {
			e := new(E)
			found, err := of.decode(in, e)
			*field(req) = e
			for i := range found {
				found[i].path = "." + found[i].path
			}
			return found, err
		},
		check: func(*T) []violation { return nil },
		clear: func(req *T) { *field(req) = nil },
	}
}

// Pair is an entry of a map.
type Pair struct{ Key, Value string }

// Pairs is a member that is a map of strings to strings, sorted by the bytes of
// the keys, each once.
func Pairs[T any](name string, field func(*T) *[]Pair) Member[T] {
	anything := Description{Type: "string"}
	return Member[T]{
		name: name, label: label(name), model: Description{Type: "map", Key: &anything, Value: &anything},
		decode: func(in *scanner, req *T) (_ []violation, err error) {
			*field(req), err = in.pairs()
			return nil, err
		},
		check: func(*T) []violation { return nil },
		clear: func(req *T) { *field(req) = nil },
	}
}

// broken makes a violation of each broken constraint.
func broken(show func(string) string, value string, constraints []string) (found []violation) {
	for _, c := range constraints {
		found = append(found, violation{value: show(value), constraint: c})
	}
	return found
}
