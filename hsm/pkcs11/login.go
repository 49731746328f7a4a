package pkcs11

import (
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// refusals are the codes of C_Login that are about the PIN (PKCS #11 v2.40 §5.6),
// and what the operator has to know.
var refusals = map[uint]string{
	p11.CKR_PIN_INCORRECT:            "the PIN is wrong",
	p11.CKR_PIN_INVALID:              "the PIN has characters that the token does not take",
	p11.CKR_PIN_LEN_RANGE:            "the PIN is too short or too long for the token",
	p11.CKR_PIN_EXPIRED:              "the PIN has expired: set a new one with the token's tools",
	p11.CKR_PIN_LOCKED:               "the PIN is locked: the token's security officer has to set a new one",
	p11.CKR_USER_PIN_NOT_INITIALIZED: "the token has no user PIN yet: set one with the token's tools",
}

// login logs the user in, for all sessions. A PIN is tried once for each
// connection, and never where one more wrong PIN would lock the token: then
// somebody who can tell has to log in first, with the token's tools.
func (s *session) login() error {
	t, err := s.TokenInfo(s.w.slot)
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	_, loggedIn, err := s.SessionInfo(s.handle) // by another partition of this process
	switch {
	case err != nil:
		return fmt.Errorf("logging in: %w", err)
	case loggedIn:
		return nil
	case t.locked:
		return s.refused(t, refusals[p11.CKR_PIN_LOCKED], hsm.ErrPIN)
	case t.lastTry:
		return s.refused(t, "the PIN was not tried, since one more wrong one would lock it: log in once with the token's tools", hsm.ErrPIN)
	}
	err = s.Login(s.handle, string(s.p.pin))
	if err == nil || code(err) == p11.CKR_USER_ALREADY_LOGGED_IN {
		return nil
	}
	if reason := refusals[code(err)]; reason != "" {
		return s.refused(t, reason, blame(err, hsm.ErrPIN))
	}
	return fmt.Errorf("logging in: %w", err)
}

// refused is the error of a login that the token refuses. Where nothing was tried
// it has no code: it is worth another look, which costs no try.
func (s *session) refused(t tokenInfo, reason string, err error) error {
	return fmt.Errorf("token %q (serial %s) in slot %d: %s: %w", t.label, t.serial, s.w.slot, reason, err)
}
