package kms

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// conditions answers the condition keys of one access, each when a policy asks
// for it ("Condition keys for AWS KMS" in the KMS developer guide). It reads the
// key's children without guard: the read of the key guards them.
type conditions struct {
	call    *call.Call
	caller  *authz.Caller
	view    fsm.View
	access  *access
	key     *state.Key // nil where there is none
	failure error      // of a read; the decision is then void
}

// Get implements policy.Context.
func (q *conditions) Get(name string) []string {
	if values, ok := q.access.more[name]; ok {
		return values
	}
	if rest, ok := strings.CutPrefix(name, "kms:"); ok {
		return q.kms(rest)
	}
	if rest, ok := strings.CutPrefix(name, "aws:resourcetag/"); ok {
		return authz.TagValues(q.tags(), rest)
	}
	if rest, ok := strings.CutPrefix(name, "aws:requesttag/"); ok {
		return q.requestTag(rest)
	}
	switch name {
	case "aws:tagkeys":
		return q.tagKeys()
	case "aws:resourceaccount":
		if q.key != nil {
			return []string{q.key.AccountID}
		}
		return []string{q.caller.Account}
	}
	return q.caller.Global(q.call, name)
}

func (q *conditions) kms(name string) []string {
	if rest, ok := strings.CutPrefix(name, "encryptioncontext:"); ok {
		return q.contextValues(rest)
	}
	if rest, ok := strings.CutPrefix(name, "recipientattestation:"); ok {
		return attested(q.call.Attestation, rest)
	}
	switch name {
	case "calleraccount":
		return present(q.caller.Account)
	case "viaservice":
		return q.viaService()
	case "encryptioncontextkeys":
		return q.contextKeys()
	case "requestalias":
		return present(q.access.alias)
	case "resourcealiases":
		return q.aliases()
	case "reencryptonsamekey":
		if q.access.sameAs == "" || q.key == nil {
			return nil
		}
		return []string{strconv.FormatBool(q.access.sameAs == q.key.ID)}
	}
	if values, ok := q.algorithm(name); ok {
		return values
	}
	return q.property(name)
}

// viaService is the service that calls for somebody, as it is called in the
// Region: s3.us-east-1.amazonaws.com.
func (q *conditions) viaService() []string {
	name, ok := strings.CutSuffix(q.call.Principal.Via, ".amazonaws.com")
	if !ok {
		return nil
	}
	return []string{name + "." + q.call.Region + ".amazonaws.com"}
}

// algorithm answers the key of the kind of algorithm that the action has.
func (q *conditions) algorithm(name string) (values []string, ok bool) {
	kind := ""
	switch action := q.access.action; {
	case strings.HasPrefix(action, "Sign"), action == "Verify":
		kind = "signingalgorithm"
	case strings.HasSuffix(action, "Mac"):
		kind = "macalgorithm"
	case strings.HasPrefix(action, "Derive"):
		kind = "keyagreementalgorithm"
	case q.access.algorithm != "":
		kind = "encryptionalgorithm"
	}
	if name != kind {
		return nil, false
	}
	return present(q.access.algorithm), true
}

// property answers the keys that say what the KMS key is.
func (q *conditions) property(name string) []string {
	if q.key == nil {
		return nil
	}
	switch name {
	case "keyspec", "customermasterkeyspec":
		return []string{string(q.key.Spec)}
	case "keyusage", "customermasterkeyusage":
		return []string{q.key.Usage}
	case "keyorigin":
		return []string{q.key.Origin}
	case "multiregion":
		return []string{strconv.FormatBool(q.key.MultiRegion)}
	case "multiregionkeytype":
		return q.keyType()
	case "trailingdayswithoutkeyusage":
		return q.idleDays()
	}
	return nil
}

// idleDays are the whole days since the key was used, or made, for the two
// actions that have this key. The last use is read without guard, as everywhere:
// a guard would have the operation run again for as long as the key is busy.
func (q *conditions) idleDays() []string {
	if q.access.action != "ScheduleKeyDeletion" && q.access.action != "DisableKey" {
		return nil
	}
	last := q.key.Created
	usage, _, err := state.KeyUsages.Peek(q.view, q.key.AccountID, q.key.Region, q.key.ID)
	if err != nil {
		q.failure = err
		return nil
	}
	if usage != nil {
		last = usage.Time
	}
	const day = 24 * 60 * 60 * 1000 // milliseconds
	return []string{strconv.FormatInt(max(0, q.call.Time.UnixMilli()-last)/day, 10)}
}

func (q *conditions) keyType() []string {
	switch {
	case !q.key.MultiRegion:
		return nil
	case q.key.Replica():
		return []string{"REPLICA"}
	}
	return []string{"PRIMARY"}
}

// pairs is the encryption context that is authorized: of the request, or, of
// CreateGrant, what the grant's constraint demands.
func (q *conditions) pairs() []shape.Pair {
	if q.access.grant == nil {
		return q.access.context
	}
	var pairs []shape.Pair
	for _, p := range slices.Concat(q.access.grant.Equals, q.access.grant.Subset) {
		pairs = append(pairs, shape.Pair{Key: p.Key, Value: p.Value})
	}
	return pairs
}

// contextValues: the name of the pair ignores letter case, the value does not.
func (q *conditions) contextValues(name string) []string {
	var values []string
	for _, p := range q.pairs() {
		if strings.EqualFold(p.Key, name) {
			values = append(values, p.Value)
		}
	}
	return values
}

func (q *conditions) contextKeys() []string {
	var keys []string
	for _, p := range q.pairs() {
		keys = append(keys, p.Key)
	}
	return keys
}

// aliases are all that the key has, however the request names it.
func (q *conditions) aliases() (names []string) {
	if q.key == nil {
		return nil
	}
	q.failure = state.KeyAliases.Scan(q.view, []string{q.key.AccountID, q.key.Region, q.key.ID}, nil,
		func(id []string, _ *state.KeyAlias) (bool, error) {
			names = append(names, id[len(id)-1])
			return true, nil
		})
	return names
}

// tags are the key's.
func (q *conditions) tags() []state.Tag {
	if q.key == nil {
		return nil
	}
	set, _, err := state.KeyTags.Peek(q.view, q.key.AccountID, q.key.Region, q.key.ID)
	if err != nil || set == nil {
		q.failure = err
		return nil
	}
	return set.Tags
}

func (q *conditions) requestTag(name string) []string {
	for _, t := range q.access.tags {
		if strings.EqualFold(t.TagKey, name) {
			return []string{t.TagValue}
		}
	}
	return nil
}

func (q *conditions) tagKeys() []string {
	keys := q.access.tagKeys
	for _, t := range q.access.tags {
		keys = append(keys, t.TagKey)
	}
	return keys
}

// present is the values of a key that has one, or is absent.
func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
