package iam

import (
	"strings"
	"unicode"

	"github.com/cofre-kms/cofre/server/shape"
)

// The simple shapes of the API model (IAM API reference, version 2010-05-08).

func nameOf(max int) shape.String {
	return shape.String{Min: 1, Max: max, Pattern: &shape.Pattern{Expr: `[\w+=,.@-]+`, Match: every(isName)}}
}

func userNameType() shape.String         { return nameOf(64) }
func existingUserNameType() shape.String { return nameOf(128) }
func groupNameType() shape.String        { return nameOf(128) }
func roleNameType() shape.String         { return nameOf(64) }
func policyNameType() shape.String       { return nameOf(128) }

func pathType() shape.String {
	return shape.String{Min: 1, Max: 512, Pattern: &shape.Pattern{
		Expr: `(\u002F)|(\u002F[\u0021-\u007E]+\u002F)`,
		Match: func(s string) bool {
			return s == "/" || len(s) >= 3 && s[0] == '/' && s[len(s)-1] == '/' && every(isVisible)(s[1:len(s)-1])
		},
	}}
}

func policyPathType() shape.String {
	return shape.String{Min: 1, Max: 512, Pattern: &shape.Pattern{
		Expr: `((/[A-Za-z0-9\.,\+@=_-]+)*)/`,
		Match: func(s string) bool {
			return s == "/" || len(s) >= 3 && s[0] == '/' && s[len(s)-1] == '/' && !strings.Contains(s, "//") &&
				every(func(r rune) bool { return r == '/' || isName(r) })(s)
		},
	}}
}

func pathPrefixType() shape.String {
	return shape.String{Min: 1, Max: 512, Pattern: &shape.Pattern{
		Expr:  `\u002F[\u0021-\u007F]*`,
		Match: func(s string) bool { return s[:min(1, len(s))] == "/" && !strings.ContainsFunc(s, outside('!', 0x7F)) },
	}}
}

func arnType() shape.String { return shape.String{Min: 20, Max: 2048} }

func policyDocumentType() shape.String {
	return shape.String{Min: 1, Max: 131072, Pattern: &shape.Pattern{
		Expr:  `[\u0009\u000A\u000D\u0020-\u00FF]+`,
		Match: every(func(r rune) bool { return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xFF }),
	}}
}

func policyDescriptionType() shape.String { return shape.String{Max: 1000} }

func roleDescriptionType() shape.String {
	return shape.String{Max: 1000, Pattern: &shape.Pattern{
		Expr: `[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`,
		Match: func(s string) bool {
			return !strings.ContainsFunc(s, func(r rune) bool {
				return r != '\t' && r != '\n' && r != '\r' && (r < ' ' || r > '~') && (r < 0xA1 || r > 0xFF)
			})
		},
	}}
}

func policyVersionIDType() shape.String {
	return shape.String{Pattern: &shape.Pattern{
		Expr: `v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`,
		Match: func(s string) bool {
			number, suffix, dotted := strings.Cut(strings.TrimPrefix(s, "v"), ".")
			return strings.HasPrefix(s, "v") && every(isDigit)(number) && number[0] != '0' &&
				(!dotted || suffix == "" || every(func(r rune) bool { return r == '-' || r < 0x80 && (unicode.IsLetter(r) || isDigit(r)) })(suffix))
		},
	}}
}

func usageType() shape.String {
	return shape.String{Enum: []string{"PermissionsPolicy", "PermissionsBoundary"}}
}

func maxSessionType() shape.Integer { return shape.Integer{Min: 3600, Max: 43200} }

func accessKeyIDType() shape.String {
	return shape.String{Min: 16, Max: 128, Pattern: &shape.Pattern{
		Expr:  `[\w]+`,
		Match: every(func(r rune) bool { return r == '_' || r < 0x80 && (unicode.IsLetter(r) || isDigit(r)) }),
	}}
}

func statusType() shape.String { return shape.String{Enum: []string{active, inactive, "Expired"}} }

func markerType() shape.String {
	return shape.String{Min: 1, Max: 320, Pattern: &shape.Pattern{
		Expr: `[\u0020-\u00FF]+`, Match: every(func(r rune) bool { return r >= ' ' && r <= 0xFF }),
	}}
}

func maxItemsType() shape.Integer { return shape.Integer{Min: 1, Max: 1000} }

const tagClass = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`

func tagKeyType() shape.String {
	return shape.String{Min: 1, Max: 128, Pattern: &shape.Pattern{Expr: tagClass + "+", Match: every(isTag)}}
}

func tagValueType() shape.String {
	return shape.String{Max: 256, Pattern: &shape.Pattern{
		Expr: tagClass + "*", Match: func(s string) bool { return s == "" || every(isTag)(s) },
	}}
}

// every matches strings of one character or more of a class.
func every(class func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !class(r) })
	}
}

func outside(first, last rune) func(rune) bool {
	return func(r rune) bool { return r < first || r > last }
}

func isDigit(r rune) bool   { return r >= '0' && r <= '9' }
func isVisible(r rune) bool { return r >= '!' && r <= '~' }

func isName(r rune) bool {
	return r < 0x80 && (unicode.IsLetter(r) || isDigit(r) || strings.ContainsRune("_+=,.@-", r))
}

func isTag(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Z, unicode.N) || strings.ContainsRune("_.:/=+-@", r)
}
