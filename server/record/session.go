package record

import (
	"time"

	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
)

// sessionContext is what the record says of temporary credentials. The user who
// made some for itself is no issuer: userIdentity names it already.
func sessionContext(s *call.Session) *ledger.SessionContext {
	if s == nil {
		return nil
	}
	c := &ledger.SessionContext{
		SourceIdentity: s.SourceIdentity,
		Attributes: ledger.SessionAttributes{
			CreationDate: time.UnixMilli(s.Issued).UTC().Format("2006-01-02T15:04:05Z"), MFAAuthenticated: "false",
		},
	}
	if s.Issuer.Type == "Role" {
		c.SessionIssuer = &ledger.SessionIssuer{
			Type: s.Issuer.Type, PrincipalID: s.Issuer.ID, ARN: s.Issuer.ARN, AccountID: s.Issuer.AccountID, UserName: s.Issuer.Name,
		}
	}
	if s.Provider != "" {
		c.WebIDFederationData = &ledger.WebIDFederationData{FederatedProvider: s.Provider}
	}
	return c
}

func appendSession(b []byte, s *ledger.SessionContext) []byte {
	if s == nil {
		return b
	}
	b = append(b, `,"sessionContext":`...)
	start := len(b)
	if i := s.SessionIssuer; i != nil {
		b = append(b, `,"sessionIssuer":{"type":`...)
		b = AppendString(b, i.Type)
		b = appendMember(b, "principalId", i.PrincipalID, maxName)
		b = appendMember(b, "arn", i.ARN, maxUserAgent)
		b = appendMember(b, "accountId", i.AccountID, maxName)
		b = appendMember(b, "userName", i.UserName, maxName)
		b = append(b, '}')
	}
	if w := s.WebIDFederationData; w != nil {
		b = append(b, `,"webIdFederationData":`...)
		inner := len(b)
		b = appendOptional(b, "federatedProvider", w.FederatedProvider, maxUserAgent)
		b = closeObject(b, inner)
	}
	b = appendOptional(b, "sourceIdentity", s.SourceIdentity, maxName)
	b = append(b, `,"attributes":{"creationDate":`...)
	b = AppendString(b, s.Attributes.CreationDate)
	b = appendMember(b, "mfaAuthenticated", s.Attributes.MFAAuthenticated, maxName)
	b = append(b, '}')
	return closeObject(b, start)
}
