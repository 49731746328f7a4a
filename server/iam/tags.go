package iam

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxTags is the quota of tags of an identity.
const maxTags = 50

// tag is a tag in a request and in an answer.
type tag struct{ Key, Value string }

func tagShape() *shape.Struct[tag] {
	return shape.Of(
		shape.Text("Key", tagKeyType(), func(t *tag) *string { return &t.Key }).Required(),
		shape.Text("Value", tagValueType(), func(t *tag) *string { return &t.Value }).Required(),
	)
}

// checkTags refuses tags that cannot be together. Keys of identities differ by
// more than case ("Rules for tagging in IAM", IAM user guide).
func checkTags(tags []tag) error {
	seen := map[string]bool{}
	for _, t := range tags {
		key := strings.ToLower(t.Key)
		switch {
		case strings.HasPrefix(key, "aws:"):
			return failure(400, "InvalidInput", "Tag keys that begin with aws: are reserved for system use.")
		case seen[key]:
			return failure(400, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
	}
	return nil
}

// merge answers old with tags added or changed, sorted by key.
func merge(old []state.Tag, tags []tag) []state.Tag {
	merged := slices.Clone(old)
	for _, t := range tags {
		merged = slices.DeleteFunc(merged, func(o state.Tag) bool { return strings.EqualFold(o.Key, t.Key) })
		merged = append(merged, state.Tag{Key: t.Key, Value: t.Value})
	}
	slices.SortFunc(merged, func(a, b state.Tag) int { return strings.Compare(a.Key, b.Key) })
	return merged
}

func without(old []state.Tag, keys []string) []state.Tag {
	return slices.DeleteFunc(slices.Clone(old), func(t state.Tag) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, t.Key) })
	})
}

func tagsOf(tags []state.Tag) (out query.List[tag]) {
	for _, t := range tags {
		out = append(out, tag{t.Key, t.Value})
	}
	return out
}

func recordedTags(tags []tag) (out []recordedTag) {
	for _, t := range tags {
		out = append(out, recordedTag(t))
	}
	return out
}

// tagRequest is about the tags of something.
type tagRequest struct {
	Name string
	Tags []tag
	Keys []string
	page
}

func tagOperationShapes(name shape.Member[tagRequest]) (add, remove, list *shape.Struct[tagRequest]) {
	type r = tagRequest
	pages := pageShape(func(q *r) *page { return &q.page })
	return shape.Of(name, shape.Structs("Tags", shape.List{Max: maxTags}, tagShape(), func(q *r) *[]tag { return &q.Tags }).Required()),
		shape.Of(name, shape.Texts("TagKeys", shape.List{Max: maxTags}, tagKeyType(), func(q *r) *[]string { return &q.Keys }).Required()),
		shape.Of(append([]shape.Member[r]{name}, pages...)...)
}

// tagOperations are those of an identity's tags.
func (s *Service) tagOperations(k *kind) []operation {
	name := shape.Text(k.word+"Name", k.name, func(q *tagRequest) *string { return &q.Name }).Required()
	find := func(v *visit, q *tagRequest) (*holder, error) {
		p := &parameters{Tags: recordedTags(q.Tags), TagKeys: q.Keys, Marker: q.Marker, MaxItems: q.MaxItems}
		k.record(p, q.Name)
		v.c.Record.Parameters = p
		return k.find(s, v, q.Name)
	}
	return s.tagging(k.word, name, find)
}

// tagging makes the operations TagX, UntagX and ListXTags.
func (s *Service) tagging(word string, name shape.Member[tagRequest], find func(v *visit, q *tagRequest) (*holder, error)) []operation {
	add, remove, list := tagOperationShapes(name)
	return []operation{
		bind(s, "Tag"+word, writes, add, func(v *visit, q *tagRequest) (any, error) {
			h, err := find(v, q)
			if err != nil {
				return nil, err
			}
			if err := checkTags(q.Tags); err != nil {
				return nil, err
			}
			merged := merge(h.tags, q.Tags)
			if len(merged) > maxTags {
				return nil, limitExceeded("TagsPerResource", maxTags)
			}
			return nil, h.put(h.boundary, merged)
		}),
		bind(s, "Untag"+word, writes, remove, func(v *visit, q *tagRequest) (any, error) {
			h, err := find(v, q)
			if err != nil {
				return nil, err
			}
			return nil, h.put(h.boundary, without(h.tags, q.Keys))
		}),
		bind(s, "List"+word+"Tags", reads, list, func(v *visit, q *tagRequest) (any, error) {
			h, err := find(v, q)
			if err != nil {
				return nil, err
			}
			return tagsResponse{Tags: tagsOf(h.tags)}, nil
		}),
	}
}

// tagsResponse lists all tags: there are never more than a page has.
type tagsResponse struct {
	Tags query.List[tag]
	truncation
}
