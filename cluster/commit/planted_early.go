//go:build planted_early

package commit

import "github.com/cofre-kms/cofre/fsm"

// plantedEarly plants a bug for scripts/planted to find: a batch is answered as committed when its outcome is unknown.
const plantedEarly = true

func (q *Queue) presume(b *batch) fsm.Result {
	r := fsm.Result{Node: q.cfg.Node, Incarnation: q.cfg.Incarnation, Sequence: b.sequence}
	for range b.entries {
		r.Outcomes = append(r.Outcomes, fsm.Committed)
	}
	return r
}
