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
	event, err := Encode(c, refusal)
	if err != nil {
		return nil, nil, err
	}
	if !dropped(c, refusal) {
		tx.SetEvent(event)
	}
	return response, refusal, nil
}

// dropped says whether a call has no record, which only planted bugs do.
func dropped(c *call.Call, refusal *call.Error) bool {
	return plantedDenial && refusal != nil || plantedRecord && c.Time.UnixMilli()%64 == 0
}
