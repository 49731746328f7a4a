package authz

import (
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// Shown is the text of a policy as its readers see it; ids are the unique ids of
// the users and roles that it named when it was put. Who is no more stands in it
// by its unique id, as in AWS: the name may be another's by now ("AWS JSON policy
// elements: Principal" in the IAM user guide). What it reads guards the
// transaction.
func Shown(tx *fsm.Txn, text string, ids map[string]string) (string, error) {
	for arn, id := range ids {
		known, err := state.Identities.Get(tx, id)
		if err != nil {
			return "", err
		}
		if known == nil {
			text = strings.ReplaceAll(text, `"`+arn+`"`, `"`+id+`"`)
		}
	}
	return text, nil
}
