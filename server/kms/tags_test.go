package kms_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{"Tags": []m{{"TagKey": "b", "TagValue": "1"}}})
	tags := func() string { return fmt.Sprint(f.do("ListResourceTags", m{"KeyId": id})["Tags"]) }
	if got := tags(); got != "[map[TagKey:b TagValue:1]]" {
		t.Errorf("tags %s", got)
	}
	f.do("TagResource", m{"KeyId": id, "Tags": []m{{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": ""}}})
	if got := tags(); got != "[map[TagKey:a TagValue:] map[TagKey:b TagValue:2]]" {
		t.Errorf("tags %s", got)
	}
	f.do("TagResource", m{"KeyId": id, "Tags": []m{{"TagKey": "é", "TagValue": "v"}}})
	want := `{"keyId":"` + id + `","tags":[{"tagKey":"é","tagValue":"v"}]}`
	if f.recorded(requestParameters) != want || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("TagResource records %+v", f.event())
	}
	f.do("UntagResource", m{"KeyId": arn, "TagKeys": []string{"b", "none"}})
	if f.recorded(requestParameters) != `{"keyId":"`+arn+`","tagKeys":["b","none"]}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("UntagResource records %+v", f.event())
	}
	for operation, list := range map[string]string{"TagResource": "Tags", "UntagResource": "TagKeys"} {
		f.do(operation, m{"KeyId": id, list: []any{}})
		if p := f.recorded(requestParameters); p != `{"keyId":"`+id+`","`+strings.ToLower(list[:1])+list[1:]+`":[]}` {
			t.Errorf("%s records %s", operation, p)
		}
	}
	f.do("UntagResource", m{"KeyId": id, "TagKeys": []string{"none"}})
	if got := tags(); got != "[map[TagKey:a TagValue:] map[TagKey:é TagValue:v]]" {
		t.Errorf("tags %s", got)
	}
}

func TestTagRefusals(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	list := func(keys ...string) []m {
		var tags []m
		for _, key := range keys {
			tags = append(tags, m{"TagKey": key, "TagValue": "v"})
		}
		return tags
	}
	many := func(from, to int) []m {
		var keys []string
		for i := from; i < to; i++ {
			keys = append(keys, fmt.Sprint(i))
		}
		return list(keys...)
	}
	one := "ValidationException: 1 validation error detected: "
	for _, test := range []struct {
		tags []m
		want string
	}{
		{list("a", "b", "a"), "TagException: Duplicate tag keys"},
		{many(0, 51), "TagException: Too many tags"},
		{list("aws:x"), "TagException: Tags beginning with aws: are reserved"},
		{list("AwS:x"), "TagException: Tags beginning with aws: are reserved"},
		{list("a", ""), one + "Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{list(strings.Repeat("x", 129)), one + "Value '" + strings.Repeat("x", 129) +
			"' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{[]m{{"TagKey": "a"}}, one + "Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null"},
	} {
		f.refuse("TagResource", m{"KeyId": id, "Tags": test.tags}, test.want)
		f.refuse("CreateKey", m{"Tags": test.tags}, test.want)
	}
	f.do("TagResource", m{"KeyId": id, "Tags": many(0, 50)})
	f.refuse("TagResource", m{"KeyId": id, "Tags": list("more")}, "TagException: Too many tags")
	f.do("TagResource", m{"KeyId": id, "Tags": many(10, 20)})
	f.refuse("UntagResource", m{"KeyId": id, "TagKeys": []string{""}}, one+"Value '[]' at 'tagKeys' failed to satisfy constraint: "+
		"Member must satisfy constraint: [Member must have length less than or equal to 128, "+
		"Member must have length greater than or equal to 1, Member must not be null]")
}
