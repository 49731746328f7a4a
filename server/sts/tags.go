package sts

import (
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// requestTag answers the condition keys that are about the tags of a request.
func requestTag(tags []call.Tag, key string) (values []string) {
	if key == "aws:tagkeys" {
		for _, t := range tags {
			values = append(values, t.Key)
		}
		return values
	}
	name, about := strings.CutPrefix(key, "aws:requesttag/")
	if !about {
		return nil
	}
	for _, t := range tags {
		if strings.EqualFold(t.Key, name) {
			values = append(values, t.Value)
		}
	}
	return values
}

// checkTags refuses tags that cannot be together.
func checkTags(tags []call.Tag, transitive []string) error {
	for i, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return invalid("Tag keys that begin with aws: are reserved for system use.")
		}
		if has(tags[:i], t.Key) {
			return failure(400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
	}
	for _, key := range transitive {
		if !has(tags, key) {
			return failure(400, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}
