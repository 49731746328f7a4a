package authz

import (
	"strconv"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// Global answers the condition keys that every request has, whatever service it
// is for ("AWS global condition context keys" in the IAM user guide). The key is
// in lower case. What says something of the resource or of the request's
// parameters (aws:ResourceTag, aws:RequestTag, aws:TagKeys) is the service's to
// answer.
func (c *Caller) Global(cl *call.Call, key string) []string {
	name, ok := strings.CutPrefix(key, "aws:")
	if !ok {
		return nil
	}
	if tag, ok := strings.CutPrefix(name, "principaltag/"); ok {
		return c.tagValues(tag)
	}
	if values, ok := c.service(name); ok {
		return values
	}
	switch name {
	case "principalaccount":
		return one(c.Account)
	case "principalarn":
		if c.Issuer != "" {
			return one(c.Issuer)
		}
		return one(c.ARN)
	case "principaltype":
		return one(c.principalType())
	case "userid":
		if c.Root {
			return one(c.Account)
		}
		return one(c.from.PrincipalID)
	case "username":
		return one(c.from.UserName)
	case "currenttime":
		return one(cl.Time.UTC().Format(time.RFC3339))
	case "epochtime":
		return one(strconv.FormatInt(cl.Time.Unix(), 10))
	case "requestedregion":
		return one(cl.Region)
	case "securetransport":
		return one(strconv.FormatBool(cl.TLS != nil))
	case "sourceip":
		return one(cl.SourceIP)
	case "useragent":
		return one(cl.UserAgent)
	}
	return c.session(name)
}

// service answers the keys that say whether, and how, an AWS service calls; ok
// says that it has the last word. The caller's address is not that of whom a
// service calls for.
func (c *Caller) service(name string) (values []string, ok bool) {
	own, via := c.from.Service, c.from.Via
	switch name {
	case "principalisawsservice":
		return one(strconv.FormatBool(own != nil)), true
	case "viaawsservice":
		return one(strconv.FormatBool(via != "")), true
	case "calledvia", "calledviafirst", "calledvialast":
		return one(via), true
	case "sourceip":
		return nil, own != nil || via != ""
	case "useragent":
		return one(c.from.By()), own != nil || via != ""
	case "principalservicename", "principalservicenameslist":
		if own == nil {
			return nil, true
		}
		return one(own.Name), true
	case "sourcearn", "sourceaccount":
		if own == nil {
			return nil, true
		}
		if name == "sourcearn" {
			return one(own.SourceARN), true
		}
		return one(own.SourceAccount), true
	case "principalaccount", "principalarn", "principaltype", "userid", "username":
		return nil, own != nil
	}
	return nil, false
}

// tagValues answers the tags of the principal: those of the session, and those of
// the user or role that the session has none in place of.
func (c *Caller) tagValues(name string) []string {
	if c.from.Session != nil {
		for _, t := range c.from.Session.Tags {
			if strings.EqualFold(t.Key, name) {
				return []string{t.Value}
			}
		}
	}
	return TagValues(c.tags, name)
}

// session answers the keys that temporary credentials have besides.
func (c *Caller) session(name string) []string {
	s := c.from.Session
	if s == nil {
		return nil
	}
	switch name {
	case "tokenissuetime":
		return one(time.UnixMilli(s.Issued).UTC().Format(time.RFC3339))
	case "multifactorauthpresent":
		return one("false") // no credentials are made with a device
	case "sourceidentity":
		return one(s.SourceIdentity)
	}
	return nil
}

// principalType is aws:PrincipalType ("Principal key values" in the IAM user
// guide).
func (c *Caller) principalType() string {
	switch c.from.Type {
	case "Root":
		return "Account"
	case "IAMUser":
		return "User"
	}
	return c.from.Type
}

// TagValues answers the value of a tag by its name in lower case; several where
// names differ by letter case alone, none where there is none.
func TagValues(tags []state.Tag, name string) []string {
	var values []string
	for _, t := range tags {
		if strings.EqualFold(t.Key, name) {
			values = append(values, t.Value)
		}
	}
	return values
}

// one is the values of a key that has at most one.
func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
