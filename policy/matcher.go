package policy

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
)

// The matchers of strings, ARNs, addresses, truth values and bytes. Policy
// variables work in the first two only ("Where you can use policy variables").

// equalStrings is StringEquals: letter case counts, wildcards are text.
type equalStrings []template

func newEqualStrings(values []string, variables bool) (matcher, error) {
	return equalStrings(newTemplates(values, false, variables)), nil
}

func newTemplates(values []string, patterns, variables bool) []template {
	list := make([]template, 0, len(values))
	for _, v := range values {
		list = append(list, newTemplate(tokenize(v, patterns, variables)))
	}
	return list
}

func (l equalStrings) match(e *evaluation, value string) bool {
	for i := range l {
		if l[i].match(e, value) {
			return true
		}
	}
	return false
}

// foldedStrings is StringEqualsIgnoreCase.
type foldedStrings []template

func newFoldedStrings(values []string, variables bool) (matcher, error) {
	return foldedStrings(newTemplates(values, false, variables)), nil
}

func (l foldedStrings) match(e *evaluation, value string) bool {
	for i := range l {
		g := l[i].glob
		if g == nil {
			var ok bool
			if g, ok = l[i].resolve(e); !ok {
				continue
			}
		}
		if e.meter.spend(1+len(value)) && strings.EqualFold(g[0].literal, value) {
			return true
		}
	}
	return false
}

func newLikeStrings(values []string, variables bool) (matcher, error) {
	return equalStrings(newTemplates(values, true, variables)), nil
}

type arns []arnTemplate

func newARNs(values []string, variables bool) (matcher, error) {
	list := make(arns, 0, len(values))
	for _, v := range values {
		t, ok := newARNTemplate(v, variables)
		if !ok {
			t = arnTemplate{} // matches no ARN, as it is none
		}
		list = append(list, t)
	}
	return list, nil
}

func (l arns) match(e *evaluation, value string) bool {
	for i := range l {
		if l[i].match(e, value) && strings.HasPrefix(value, "arn:") {
			return true
		}
	}
	return false
}

// bools is Bool.
type bools []string

func newBools(values []string, _ bool) (matcher, error) {
	for _, v := range values {
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return nil, fmt.Errorf("%q is neither true nor false", v)
		}
	}
	return bools(values), nil
}

func (l bools) match(e *evaluation, value string) bool {
	for _, v := range l {
		if e.meter.spend(1+len(value)) && strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

// binaries is BinaryEquals; they are kept decoded.
type binaries []string

func newBinaries(values []string, _ bool) (matcher, error) {
	list := make(binaries, 0, len(values))
	for _, v := range values {
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return nil, fmt.Errorf("%q is not base64", v)
		}
		list = append(list, string(b))
	}
	return list, nil
}

func (l binaries) match(e *evaluation, value string) bool {
	for _, v := range l {
		if e.meter.spend(1+len(value)) && v == value {
			return true
		}
	}
	return false
}

// addresses is IpAddress: addresses and ranges in the notation of RFC 4632 and
// RFC 4291, §2.3.
type addresses []netip.Prefix

func newAddresses(values []string, _ bool) (matcher, error) {
	list := make(addresses, 0, len(values))
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			a, alone := netip.ParseAddr(v)
			if alone != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is no IP address or range", v)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func (l addresses) match(e *evaluation, value string) bool {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	for _, p := range l {
		if e.meter.spend(1) && p.Contains(a.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
