package record

import (
	"context"
	"errors"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
)

// Perform runs an operation and puts its record into the transaction, so that
// neither can be committed without the other. A refusal is an outcome like any
// other: the operation's writes are forgotten, what it read goes on guarding the
// transaction, and the record says why. After any other error the transaction is
// not to be committed.
func Perform(ctx context.Context, tx *fsm.Txn, c *call.Call, op *call.Operation, request any) (response any, refusal *call.Error, err error) {
	c.Operation, c.ReadOnly, c.Record = op.Name, op.ReadOnly, call.Record{}
	response, err = op.Run(ctx, tx, c, request)
	if err != nil {
		if !errors.As(err, &refusal) {
			return nil, nil, err
		}
		if !plantedRollback {
			tx.Rollback()
		}
		response = nil
	}
	text, err := encode(tx, c, refusal)
	if err != nil {
		return nil, nil, err
	}
	if !dropped(c, refusal) {
		tx.SetEvent(text)
	}
	return response, refusal, nil
}

// encode is Encode, and owes another account the record of a success where the
// operation says so. Refusals are the caller's account's business alone.
func encode(tx *fsm.Txn, c *call.Call, refusal *call.Error) ([]byte, error) {
	if refusal != nil || c.Record.SharedWith == "" || c.Record.SharedWith == c.Principal.AccountID {
		return Encode(c, refusal)
	}
	e, err := share(tx, c, eventOf(c))
	if err != nil {
		return nil, err
	}
	return e.encode()
}

// dropped says whether a call has no record, which only planted bugs do.
func dropped(c *call.Call, refusal *call.Error) bool {
	return plantedDenial && refusal != nil || plantedRecord && c.Time.UnixMilli()%64 == 0
}
