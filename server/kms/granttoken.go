package kms

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
)

// A grant token names a grant. It is no secret and gives no right: AWS has it
// for the minutes until a grant is known everywhere, and here that is at once.
// Each is another, because of its random part, and none is recorded. In base64:
//
//	version (1) | random (16) | grant id (32) | key ARN
const (
	tokenVersion = 1
	tokenRandom  = 16
	tokenID      = 32
	tokenHeader  = 1 + tokenRandom + tokenID
)

// newToken makes a token of a grant.
func newToken(keyARN, grantID string) (string, error) {
	b := make([]byte, tokenHeader, tokenHeader+len(keyARN))
	b[0] = tokenVersion
	rand.Read(b[1 : 1+tokenRandom]) // never fails (crypto/rand)
	if n, err := hex.Decode(b[1+tokenRandom:], []byte(grantID)); err != nil || n != tokenID {
		return "", damaged("grant id")
	}
	return base64.StdEncoding.EncodeToString(append(b, keyARN...)), nil
}

// parseToken answers the key ARN and the id of the grant that a token names.
func parseToken(token string) (keyARN, grantID string, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenHeader || b[0] != tokenVersion || !strings.HasPrefix(string(b[tokenHeader:]), arnPrefix) {
		return "", "", invalidToken()
	}
	return string(b[tokenHeader:]), hex.EncodeToString(b[1+tokenRandom : tokenHeader]), nil
}

// checkTokens refuses what is no grant token. The tokens themselves decide
// nothing.
func checkTokens(tokens []string) error {
	for _, token := range tokens {
		if _, _, err := parseToken(token); err != nil {
			return err
		}
	}
	return nil
}

func invalidToken() error {
	return call.Errorf("InvalidGrantTokenException", "The grant token is not valid.")
}

// newGrantID draws a grant id.
func newGrantID() string {
	var b [tokenID]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// grantNotFound refuses the id of a grant that the key does not have.
func grantNotFound(id string) error { return notFound("Grant ID %s not found", id) }
