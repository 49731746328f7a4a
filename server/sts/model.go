package sts

import (
	"slices"
	"strings"
	"unicode"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// The simple shapes of the API model (STS API reference, version 2011-06-15).

func arnType() shape.String {
	return shape.String{Min: 20, Max: 2048, Pattern: &shape.Pattern{
		Expr: `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`,
		Match: func(s string) bool {
			return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
				switch {
				case r == '\t', r == '\n', r == '\r', r == 0x85:
					return false
				case r < ' ', r > '~' && r < 0xA0, r >= 0xFFFE && r <= 0xFFFF:
					return true
				}
				return false
			})
		},
	}}
}

func sessionNameType() shape.String {
	return shape.String{Min: 2, Max: 64, Pattern: &shape.Pattern{Expr: `[\w+=,.@-]*`, Match: all("+=,.@-")}}
}

func externalIDType() shape.String {
	return shape.String{Min: 2, Max: 1224, Pattern: &shape.Pattern{Expr: `[\w+=,.@:\/-]*`, Match: all("+=,.@:/-")}}
}

func serialNumberType() shape.String {
	return shape.String{Min: 9, Max: 256, Pattern: &shape.Pattern{Expr: `[\w+=/:,.@-]*`, Match: all("+=/:,.@-")}}
}

func tokenCodeType() shape.String {
	return shape.String{Min: 6, Max: 6, Pattern: &shape.Pattern{Expr: `[\d]*`, Match: func(s string) bool {
		return strings.Trim(s, "0123456789") == ""
	}}}
}

func durationType() shape.Integer { return shape.Integer{Min: 900, Max: 43200} }

func documentPattern() *shape.Pattern {
	return &shape.Pattern{Expr: `[\u0009\u000A\u000D\u0020-\u00FF]+`, Match: func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
			return r != '\t' && r != '\n' && r != '\r' && (r < ' ' || r > 0xFF)
		})
	}}
}

const tagClass = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`

func isTag(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r)
	})
}

func tagKeyType() shape.String {
	return shape.String{Min: 1, Max: 128, Pattern: &shape.Pattern{
		Expr: tagClass + "+", Match: func(s string) bool { return s != "" && isTag(s) },
	}}
}

func tagShape() *shape.Struct[call.Tag] {
	return shape.Of(
		shape.Text("Key", tagKeyType(), func(t *call.Tag) *string { return &t.Key }).Required(),
		shape.Text("Value", shape.String{Max: 256, Pattern: &shape.Pattern{Expr: tagClass + "*", Match: isTag}},
			func(t *call.Tag) *string { return &t.Value }).Required(),
	)
}

func policyARNShape() *shape.Struct[policyARN] {
	return shape.Of(shape.Text("arn", arnType(), func(a *policyARN) *string { return &a.ARN }))
}

// all matches strings of word characters and some others.
func all(others string) func(string) bool {
	return func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return !isWord(string(r)) && !strings.ContainsRune(others, r) })
	}
}

// sorted is a copy sorted by key.
func sorted(tags []call.Tag) []call.Tag {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b call.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// has says whether there is a tag of a key, in any case.
func has(tags []call.Tag, key string) bool {
	return slices.ContainsFunc(tags, func(t call.Tag) bool { return strings.EqualFold(t.Key, key) })
}
