package kms

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// grantConstraints are the API's GrantConstraints, in requests and answers.
type grantConstraints struct {
	EncryptionContextSubset encryptionContext `json:",omitempty"`
	EncryptionContextEquals encryptionContext `json:",omitempty"`
	SourceArn               string            `json:",omitempty"`
}

func grantConstraintsShape() *shape.Struct[grantConstraints] {
	type r = grantConstraints
	return shape.Of(
		shape.Pairs("EncryptionContextSubset", func(q *r) *[]shape.Pair { return (*[]shape.Pair)(&q.EncryptionContextSubset) }),
		shape.Pairs("EncryptionContextEquals", func(q *r) *[]shape.Pair { return (*[]shape.Pair)(&q.EncryptionContextEquals) }),
		shape.Text("SourceArn", sourceArnType(), func(q *r) *string { return &q.SourceArn }),
	)
}

// What a constraint can hold ("GrantConstraints" in the KMS API reference).
const (
	maxConstraintPairs = 8
	maxConstraintValue = 384 // characters
)

// check refuses constraints that are wrong in themselves. An empty encryption
// context is refused as well: it would be taken for one that nothing meets, or
// for none.
func (g *grantConstraints) check() error {
	if g == nil {
		return nil
	}
	for _, constraint := range []encryptionContext{g.EncryptionContextSubset, g.EncryptionContextEquals} {
		if constraint != nil && len(constraint) == 0 {
			return invalid("An encryption context constraint must have at least one pair.")
		}
		if len(constraint) > maxConstraintPairs {
			return invalid("An encryption context constraint must not have more than %d pairs.", maxConstraintPairs)
		}
		for _, p := range constraint {
			if utf8.RuneCountInString(p.Value) > maxConstraintValue {
				return invalid("A value of an encryption context constraint must not be longer than %d characters.",
					maxConstraintValue)
			}
		}
		if err := constraint.check(symmetricDefault); err != nil {
			return err
		}
	}
	if g.SourceArn != "" && strings.Count(g.SourceArn, ":") < 5 || g.SourceArn != "" && !strings.HasPrefix(g.SourceArn, "arn:") {
		return invalid("The SourceArn constraint is not an ARN.")
	}
	return nil
}

// answered is a constraint as ListGrants answers it; nil where there is none.
func answered(g *state.Grant) *grantConstraints {
	if g.Equals == nil && g.Subset == nil && g.SourceARN == "" {
		return nil
	}
	return &grantConstraints{
		EncryptionContextSubset: fromPairs(g.Subset), EncryptionContextEquals: fromPairs(g.Equals), SourceArn: g.SourceARN,
	}
}

func fromPairs(pairs []state.Pair) encryptionContext {
	var ec encryptionContext
	for _, p := range pairs {
		ec = append(ec, shape.Pair(p))
	}
	return ec
}

func toPairs(ec encryptionContext) []state.Pair {
	var pairs []state.Pair
	for _, p := range ec {
		pairs = append(pairs, state.Pair(p))
	}
	return pairs
}

// folded is a context as constraints compare it: "the key in each key-value pair
// is not case sensitive, but the value is" (GrantConstraints, KMS API reference).
func folded(pairs []state.Pair) []state.Pair {
	out := make([]state.Pair, len(pairs))
	for i, p := range pairs {
		out[i] = state.Pair{Key: strings.ToLower(p.Key), Value: p.Value}
	}
	slices.SortFunc(out, func(a, b state.Pair) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	return out
}

// includes says whether a folded context has every pair of a folded constraint.
func includes(context, constraint []state.Pair) bool {
	for _, p := range constraint {
		if !slices.Contains(context, p) {
			return false
		}
	}
	return true
}

// The slots of GranteeGrants. A request looks into those that its encryption
// context leads to, and nowhere else:
//
//	0          the grant has no encryption context constraint, or none that matters to the operation
//	e<digest>  EncryptionContextEquals; the digest is of the whole context
//	s<digest>  EncryptionContextSubset; the digest is of one of its pairs
//	a<digest>  SourceArn; the digest is of the ARN on account of which a service calls
//	l          every grant, for lists; the operation is "*"
const (
	slotFree = "0"
	slotList = "l"

	anyOperation = "*"
)

func slotEquals(context []state.Pair) string { return "e" + contextDigest(context) }

func slotSource(arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return "a" + hex.EncodeToString(sum[:16])
}

func slotSubset(pair state.Pair) string { return "s" + contextDigest([]state.Pair{pair}) }

// contextDigest tells folded contexts apart. What is found by it is compared again.
func contextDigest(context []state.Pair) string {
	sum := sha256.Sum256(fromPairs(context).appendCanonical(nil))
	return hex.EncodeToString(sum[:16])
}
