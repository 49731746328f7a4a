package policy

import (
	"fmt"
	"strings"
)

// actions reads Action or NotAction.
func (p *parser) actions(s *statement, v *value) error {
	list, ok := v.texts()
	if !ok {
		return malformed(wrongSyntax, "%s: Action is neither a string nor a list of strings", p.where)
	}
	if len(list) == 0 {
		return malformed(noActions, "%s", p.where)
	}
	for _, a := range list {
		if err := p.checkAction(a); err != nil {
			return err
		}
		s.actions = append(s.actions, action{text: a, glob: compileGlob(lower(a))})
	}
	return nil
}

// checkAction says what is wrong with a pattern of actions.
func (p *parser) checkAction(a string) error {
	vendor, name, found := strings.Cut(a, ":")
	switch {
	case a == "*":
	case !found:
		return malformed(noVendor, "%s: %q", p.where, a)
	case strings.Contains(name, ":"):
		return malformed(manyColons, "%s: %q", p.where, a)
	case vendor == "" || !only(vendor, lowers+uppers+digits+"-."):
		return malformed(fmt.Sprintf("Vendor %s is not valid", vendor), "%s: %q", p.where, a)
	}
	if p.document.kind != TrustPolicy {
		return nil
	}
	// What the trust policy of a role can be about ("Actions" of AWS STS).
	switch a {
	case "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:TagSession",
		"sts:SetSourceIdentity", "sts:SetContext", "sts:*":
		return nil
	}
	return malformed(onlyAssume, "%s: %q", p.where, a)
}

// resources reads Resource or NotResource.
func (p *parser) resources(s *statement, v *value) error {
	list, ok := v.texts()
	if !ok {
		return malformed(wrongSyntax, "%s: Resource is neither a string nor a list of strings", p.where)
	}
	if len(list) == 0 {
		return malformed(noResources, "%s", p.where)
	}
	for _, r := range list {
		t, ok := newARNTemplate(r, p.variables())
		if !ok || r != "*" && !strings.HasPrefix(r, "arn:") {
			return malformed(fmt.Sprintf(`Resource %s must be in ARN format or "*".`, r), "%s", p.where)
		}
		if name, _, _ := strings.Cut(strings.TrimPrefix(r, "arn:"), ":"); name != "*" && !partition(name) {
			return malformed(fmt.Sprintf("Partition %q is not valid for resource %q.", name, r), "%s", p.where)
		}
		s.resources = append(s.resources, resource{text: r, arn: t})
	}
	return nil
}

// conditions reads Condition: operators, each with keys, each with values.
func (p *parser) conditions(s *statement, v *value) error {
	if v.kind != object {
		return malformed(wrongSyntax, "%s: Condition is no JSON object", p.where)
	}
	for i := range v.members {
		block := &v.members[i]
		op, ok := parseOperator(block.name)
		if !ok {
			return malformed("Invalid Condition type : "+block.name+".", "%s", p.where)
		}
		if block.value.kind != object {
			return malformed(wrongSyntax, "%s: the value of %s is no JSON object", p.where, block.name)
		}
		if err := p.block(s, block, op); err != nil {
			return err
		}
	}
	return nil
}

// block reads the keys of one operator.
func (p *parser) block(s *statement, block *member, op operator) error {
	seen := make(map[string]bool)
	for i := range block.value.members {
		m := &block.value.members[i]
		values, ok := m.value.scalars()
		key := lower(m.name)
		if !ok || seen[key] {
			return malformed(wrongSyntax, "%s: %s: %q is there twice, or its values are no strings", p.where, block.name, m.name)
		}
		seen[key] = true
		if !strings.Contains(m.name, ":") {
			return malformed(noVendor, "%s: %s: %q", p.where, block.name, m.name)
		}
		if op.set == forAllValues && strings.HasPrefix(key, "kms:encryptioncontext:") {
			// Absent keys would match it ("kms:EncryptionContext:context-key").
			return malformed(wrongSyntax, "%s: ForAllValues does not go with %s", p.where, m.name)
		}
		matches, err := op.compile(values, p.variables())
		if err != nil {
			return malformed(wrongSyntax, "%s: %s: %s: %v", p.where, block.name, m.name, err)
		}
		s.conditions = append(s.conditions, condition{
			operator: op, name: block.name, key: m.name, lower: key, values: values, any: matches,
		})
	}
	return nil
}
