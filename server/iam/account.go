package iam

import (
	"encoding/xml"
	"errors"
	"slices"
	"strconv"

	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

func (s *Service) accountOperations() []operation {
	return []operation{
		bind(s, "GetAccountSummary", reads, shape.Of[struct{}](), s.accountSummary),
		bind(s, "GetAccountAuthorizationDetails", reads, detailsShape(), s.accountDetails),
	}
}

// summary is the SummaryMap of an answer: what the account has, and its quotas.
type summary map[string]int

// MarshalXML implements xml.Marshaler: an entry for each, sorted by key.
func (m summary) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		entry := struct {
			Key   string `xml:"key"`
			Value string `xml:"value"`
		}{key, strconv.Itoa(m[key])}
		if err := e.EncodeElement(entry, xml.StartElement{Name: xml.Name{Local: "entry"}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

type accountSummaryResponse struct{ SummaryMap summary }

// accountSummary counts what the account has. What there is none of in Cofre
// (devices, certificates, login profiles, SAML) is 0.
func (s *Service) accountSummary(v *visit, _ *struct{}) (any, error) {
	v.c.Record.Parameters = &parameters{}
	if err := s.permit(v, "*"); err != nil {
		return nil, err
	}
	users, err1 := count(v, state.Users)
	groups, err2 := count(v, state.Groups)
	roles, err3 := count(v, state.Roles)
	policies, err4 := count(v, state.Policies)
	versions, err5 := count(v, state.PolicyVersions)
	providers, err6 := count(v, state.OIDCProviders)
	return accountSummaryResponse{summary{
		"Users": users, "UsersQuota": maxUsers, "Groups": groups, "GroupsQuota": maxGroups, "Roles": roles, "RolesQuota": maxRoles,
		"Policies": policies, "PoliciesQuota": maxPolicies, "PolicyVersionsInUse": versions, "VersionsPerPolicyQuota": maxVersions,
		"PolicySizeQuota": maxManagedDocument, "AssumeRolePolicySizeQuota": maxTrustDocument,
		"UserPolicySizeQuota": userKind().inline, "GroupPolicySizeQuota": groupKind().inline, "RolePolicySizeQuota": roleKind().inline,
		"GroupsPerUserQuota": maxUserGroups, "AccessKeysPerUserQuota": maxAccessKeys,
		"AttachedPoliciesPerUserQuota": maxAttached, "AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached,
		"Providers": providers, "MFADevices": 0, "MFADevicesInUse": 0, "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 0,
		"ServerCertificates": 0, "InstanceProfiles": 0,
	}}, errors.Join(err1, err2, err3, err4, err5, err6)
}
