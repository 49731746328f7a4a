package history

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Linearizable looks for an order of the operations of each object that time
// allows and its model explains. The ledger helps in one point only: an
// operation whose answer was lost did not happen where there is no record of it,
// and where there is one it ended before all that stand behind it had. Pictures
// of what cannot be explained go to dir. It gives up on an object after limit,
// which is a problem too. Not for use in a synctest bubble: limit is real time.
func (l *Ledger) Linearizable(dir string, limit time.Duration) (problems []Problem) {
	ends := l.ends()
	for i := range Models {
		m := &Models[i]
		objects := make(map[string][]porcupine.Operation)
		for _, op := range l.ops {
			if object := m.Of(op); object != "" && ends[op.ID] > 0 {
				objects[object] = append(objects[object], porcupine.Operation{
					ClientId: op.Client, Input: op, Call: op.Start, Output: op, Return: ends[op.ID],
				})
			}
		}
		for object, ops := range objects {
			if p, ok := l.linearizable(m, object, ops, dir, limit); !ok {
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// ends answers when each operation had ended at the latest; those that did not
// happen have none.
func (l *Ledger) ends() map[int64]int64 {
	ends := make(map[int64]int64, len(l.ops))
	for _, op := range l.ops {
		if op.Outcome == Answered || op.Outcome == TurnedAway {
			ends[op.ID] = max(op.End, 1)
		}
	}
	bound := int64(math.MaxInt64)
	for _, op := range slices.Backward(l.Order) {
		if op.Outcome == Answered {
			bound = min(bound, max(op.End, 1))
		} else {
			ends[op.ID] = max(bound, op.Start) // a bound before the start is checkTimes' finding
		}
	}
	return ends
}

func (l *Ledger) linearizable(m *Model, object string, ops []porcupine.Operation, dir string, limit time.Duration) (Problem, bool) {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	model := m.porcupine()
	result, info := porcupine.CheckOperationsVerbose(model, ops, limit)
	if result == porcupine.Ok {
		return Problem{}, true
	}
	path := filepath.Join(dir, m.Name+"-"+filepath.Base(object)+".html")
	if err := visualize(model, info, path); err != nil {
		path = err.Error()
	}
	if result == porcupine.Unknown {
		return problem("linearizable", "%s %s: no answer within %v (%d operations)", m.Name, object, limit, len(ops)), false
	}
	return problem("linearizable", "%s %s: no order explains its %d operations; picture: %s", m.Name, object, len(ops), path), false
}

func visualize(model porcupine.Model, info porcupine.LinearizationInfo, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return porcupine.Visualize(model, info, file)
}

func (m *Model) porcupine() porcupine.Model {
	return porcupine.Model{
		Init:  func() any { return m.Initial },
		Step:  func(state, input, _ any) (bool, any) { return m.step(state, input) },
		Equal: func(a, b any) bool { return a == b },
		DescribeOperation: func(input, _ any) string {
			op := input.(*Op)
			return fmt.Sprintf("#%d %s %s → %s %s%s%s", op.ID, op.Name, op.Target, op.Outcome, op.Code, op.State, op.Resolved)
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%q", state) },
	}
}

func (m *Model) step(state, input any) (bool, any) {
	fits, next := m.Step(state.(string), input.(*Op))
	return fits, next
}
