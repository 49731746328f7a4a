package kms

import (
	"context"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxTags is how many tags a key can have.
const maxTags = 50

type tag struct{ TagKey, TagValue string }

func tagShape() *shape.Struct[tag] {
	return shape.Of(
		shape.Text("TagKey", tagKeyType(), func(t *tag) *string { return &t.TagKey }).Required(),
		shape.Text("TagValue", tagValueType(), func(t *tag) *string { return &t.TagValue }).Required(),
	)
}

type tagResourceRequest struct {
	KeyID string
	Tags  []tag
}

func tagResourceShape() *shape.Struct[tagResourceRequest] {
	type r = tagResourceRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Structs("Tags", shape.List{}, tagShape(), func(q *r) *[]tag { return &q.Tags }).Required(),
	)
}

type recordedTag struct {
	TagKey   string `json:"tagKey"`
	TagValue string `json:"tagValue"`
}

// recordedTags answers a list, also of none: null would mean that there was no
// such parameter.
func recordedTags(tags []tag) []recordedTag {
	list := make([]recordedTag, 0, len(tags))
	for _, t := range tags {
		list = append(list, recordedTag(t))
	}
	return list
}

type tagResourceParameters struct {
	KeyID string        `json:"keyId"`
	Tags  []recordedTag `json:"tags"`
}

func (s *Service) tagResource(_ context.Context, tx *fsm.Txn, c *call.Call, req *tagResourceRequest) (any, error) {
	c.Record.Parameters = &tagResourceParameters{KeyID: req.KeyID, Tags: recordedTags(req.Tags)}
	if err := checkTags(req.Tags); err != nil {
		return nil, err
	}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tags: req.Tags}, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(tx, k)
	if err != nil {
		return nil, err
	}
	tags = mergeTags(tags, req.Tags)
	if len(tags) > maxTags {
		return nil, tagError("Too many tags")
	}
	changed(c, k)
	return nil, changeTags(tx, k, tags)
}

type untagResourceRequest struct {
	KeyID   string
	TagKeys []string
}

func untagResourceShape() *shape.Struct[untagResourceRequest] {
	type r = untagResourceRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Texts("TagKeys", shape.List{}, tagKeyType(), func(q *r) *[]string { return &q.TagKeys }).Required(),
	)
}

type untagResourceParameters struct {
	KeyID   string   `json:"keyId"`
	TagKeys []string `json:"tagKeys"`
}

// untagResource succeeds also where the key has no such tag.
func (s *Service) untagResource(_ context.Context, tx *fsm.Txn, c *call.Call, req *untagResourceRequest) (any, error) {
	c.Record.Parameters = &untagResourceParameters{KeyID: req.KeyID, TagKeys: append([]string{}, req.TagKeys...)}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tagKeys: req.TagKeys}, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	tags, err := readTags(tx, k)
	if err != nil {
		return nil, err
	}
	rest := slices.DeleteFunc(slices.Clone(tags), func(t state.Tag) bool { return slices.Contains(req.TagKeys, t.Key) })
	changed(c, k)
	if len(rest) == len(tags) {
		return nil, nil
	}
	return nil, changeTags(tx, k, rest)
}

// checkTags refuses tags that are wrong in themselves.
func checkTags(tags []tag) error {
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		if seen[t.TagKey] {
			return tagError("Duplicate tag keys")
		}
		seen[t.TagKey] = true
		if strings.HasPrefix(strings.ToLower(t.TagKey), "aws:") {
			return tagError("Tags beginning with aws: are reserved")
		}
	}
	if len(tags) > maxTags {
		return tagError("Too many tags")
	}
	return nil
}

// mergeTags answers old with the tags of more added or replaced, sorted by key.
func mergeTags(old []state.Tag, more []tag) []state.Tag {
	tags := slices.Clone(old)
	for _, t := range more {
		tags = slices.DeleteFunc(tags, func(o state.Tag) bool { return o.Key == t.TagKey })
		tags = append(tags, state.Tag{Key: t.TagKey, Value: t.TagValue})
	}
	slices.SortFunc(tags, func(a, b state.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// readTags reads a key's tags; the read of the key guards them.
func readTags(tx *fsm.Txn, k key) ([]state.Tag, error) {
	set, _, err := state.KeyTags.Peek(tx.View(), k.AccountID, k.Region, k.ID)
	if err != nil || set == nil {
		return nil, err
	}
	return set.Tags, nil
}

func changeTags(tx *fsm.Txn, k key, tags []state.Tag) error {
	if err := putTags(tx, k.Key, tags); err != nil {
		return err
	}
	return touch(tx, k.Key)
}

func putTags(tx *fsm.Txn, k *state.Key, tags []state.Tag) error {
	return state.KeyTags.Put(tx, &state.TagSet{Tags: tags}, k.AccountID, k.Region, k.ID)
}
