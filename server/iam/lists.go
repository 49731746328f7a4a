package iam

import (
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// listPathRequest asks for a list of what is under a path.
type listPathRequest struct {
	PathPrefix string
	page
}

func listPathShape() *shape.Struct[listPathRequest] {
	type r = listPathRequest
	return shape.Of(append([]shape.Member[r]{
		shape.Text("PathPrefix", pathPrefixType(), func(q *r) *string { return &q.PathPrefix }),
	}, pageShape(func(q *r) *page { return &q.page })...)...)
}

func (q *listPathRequest) recorded() *parameters {
	return &parameters{PathPrefix: q.PathPrefix, Marker: q.Marker, MaxItems: q.MaxItems}
}

// list goes through a page of what an account has in a table. The read of the
// directory guards it. show answers whether it took the entry.
func list[T any](v *visit, table fsm.Table[T], p page, t *truncation, show func(*T) bool) error {
	return listUnder(v, table, []string{v.account}, p, t, func(_ string, value *T) bool { return show(value) })
}

// listUnder is list of what has an identifier that begins with a prefix; show is
// told its last segment, too.
func listUnder[T any](v *visit, table fsm.Table[T], prefix []string, p page, t *truncation, show func(last string, value *T) bool) error {
	after, err := p.after(prefix...)
	if err != nil {
		return err
	}
	n, last := 0, ""
	return table.Scan(v.tx.View(), prefix, after, func(id []string, value *T) (bool, error) {
		if t.full(p, n, last) {
			return false, nil
		}
		last = id[len(id)-1]
		if show(last, value) {
			n++
		}
		return true, nil
	})
}

// each goes through what has an identifier that begins with the account and id.
func each[T any](v *visit, table fsm.Table[T], id string, do func(last string, value *T) error) error {
	return table.Scan(v.tx.View(), []string{v.account, id}, nil, func(id []string, value *T) (bool, error) {
		return true, do(id[len(id)-1], value)
	})
}

// count answers how many records of a table an account has.
func count[T any](v *visit, table fsm.Table[T]) (n int, err error) {
	err = table.Scan(v.tx.View(), []string{v.account}, nil, func([]string, *T) (bool, error) { n++; return true, nil })
	return n, err
}

// hasAny answers whether something with a unique id has an entry in a table.
func hasAny[T any](table fsm.Table[T]) func(v *visit, id string) (bool, error) {
	return func(v *visit, id string) (has bool, err error) {
		err = table.Scan(v.tx.View(), []string{v.account, id}, nil, func([]string, *T) (bool, error) { has = true; return false, nil })
		return has, err
	}
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// calendar writes a time as CloudTrail writes dates inside responseElements.
func calendar(ms int64) string { return time.UnixMilli(ms).UTC().Format("Jan 2, 2006, 3:04:05 PM") }

// byID reads the identity that has a unique id, nil where it is gone.
func byID[T any](v *visit, table fsm.Table[T], id string) (*T, error) {
	who, _, err := state.Identities.Peek(v.tx.View(), id)
	if err != nil || who == nil {
		return nil, err
	}
	found, _, err := table.Peek(v.tx.View(), who.AccountID, who.Name)
	return found, err
}
