package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// record is what the ledger has of an operation.
func record(op *Op) string {
	return fmt.Sprintf(`{"eventName":%q,"userAgent":%q,"errorCode":%q,"requestID":%q,"responseElements":{"grantId":%q,"user":{"userId":%q}}}`,
		op.Name, op.Agent(), recorded(op.Code), op.RequestID, op.Grant, op.Resolved)
}

// answered makes an operation that was answered with success, from start to end.
func answered(id int64, name, object string, start, end int64) *Op {
	op := &Op{ID: id, Name: name, Start: start, End: end, Outcome: Answered, RequestID: fmt.Sprint("r", id)}
	if op.Key = object; strings.HasPrefix(object, "alias/") {
		op.Key, op.Alias = "", object
	}
	return op
}

func with(op *Op, change func(*Op)) *Op {
	change(op)
	return op
}

func lost(op *Op) *Op {
	return with(op, func(op *Op) { op.Outcome, op.RequestID = Unknown, "" })
}

// TestJudgement gives histories with their ledgers to the checks. Each fault is
// listed with a history that is right beside it.
func TestJudgement(t *testing.T) {
	disable := func() *Op { return answered(1, "DisableKey", "k", 10, 20) }
	encrypt := func() *Op { return answered(2, "Encrypt", "k", 30, 40) }
	create := func() *Op {
		return with(answered(1, "CreateAlias", "alias/a", 10, 20), func(op *Op) { op.Target = "k" })
	}
	rotate := func() *Op { return answered(3, "RotateKeyOnDemand", "k", 50, 60) }
	look := func(id, start int64, material string) *Op {
		return with(answered(id, "DescribeKey", "k", start, start+5), func(op *Op) { op.State, op.Material = enabled, material })
	}
	refused := func(code string) func(*Op) { return func(op *Op) { op.Code = code } }
	right := func(id int64, name string, start int64, change func(*Op)) *Op {
		return with(with(answered(id, name, "k", start, start+5), func(op *Op) { op.User = "u" }), change)
	}
	grant := func() *Op {
		return right(1, "CreateGrant", 10, func(op *Op) { op.Grant, op.Value = "g", "Decrypt Encrypt" })
	}
	revoke := func() *Op { return right(3, "RevokeGrant", 30, func(op *Op) { op.Grant = "g" }) }
	use := func(id, start int64, code string) *Op {
		return right(id, "Encrypt", start, func(op *Op) { op.Code = code })
	}
	signed := func(id, start int64, outcome Outcome) *Op {
		return with(answered(id, "Encrypt", "", start, start+5), func(op *Op) { op.As, op.Outcome = "AKIA", outcome })
	}
	switched := func(id int64, name string, start int64, status string) *Op {
		return with(answered(id, name, "", start, start+5), func(op *Op) { op.AccessKey, op.Value = "AKIA", status })
	}
	external := func(id int64, name string, start int64, value string) *Op {
		return with(answered(id, name, "x", start, start+5), func(op *Op) { op.Origin, op.Value, op.State = External, value, value })
	}
	there := func(id int64, name string, start int64, region, value string) *Op {
		return with(answered(id, name, "mrk", start, start+5), func(op *Op) { op.Region, op.Value = region, value })
	}
	name := func(id int64, name string, start int64, unique string) *Op {
		return with(answered(id, name, "", start, start+5), func(op *Op) { op.User, op.Resolved = "alice", unique })
	}
	const first, second = firstRegion, "us-west-2"
	replicate := func() *Op { return there(1, "ReplicateKey", 10, first, second) }
	for _, test := range []struct {
		name   string
		ops    []*Op
		ledger []int // indexes of ops, in the order of their records
		want   string
	}{
		{"a disabled key refuses", []*Op{disable(), with(encrypt(), refused("DisabledException"))}, []int{0, 1}, ""},
		{"a disabled key encrypts", []*Op{disable(), encrypt()}, []int{0, 1}, "Disabled"},
		{"in the other order of the ledger too", []*Op{disable(), encrypt()}, []int{1, 0}, "behind that of a later one"},
		{"they overlap", []*Op{disable(), with(encrypt(), func(op *Op) { op.Start = 15 })}, []int{1, 0}, ""},
		{"a lost disable has happened", []*Op{lost(disable()), with(encrypt(), refused("DisabledException"))}, []int{0, 1}, ""},
		{"a lost disable has not happened", []*Op{lost(disable()), encrypt()}, []int{1}, ""},
		{"it has, and is not heeded", []*Op{lost(disable()), encrypt()}, []int{0, 1}, "Disabled"},
		{"it happens late", []*Op{lost(disable()), encrypt()}, []int{1, 0}, ""},
		{"an answer without record", []*Op{disable(), encrypt()}, []int{0}, "no record of"},
		{"a record twice", []*Op{disable()}, []int{0, 0}, "of one operation"},
		{"a record of what did not happen", []*Op{with(disable(), func(op *Op) { op.Outcome = Nothing })}, []int{0}, "nothing happened"},
		{"a key has its material", []*Op{look(1, 10, "m"), look(2, 20, "m")}, []int{0, 1}, ""},
		{"a key has another", []*Op{look(1, 10, "m"), look(2, 20, "n")}, []int{0, 1}, "material k"},
		{"it is rotated", []*Op{look(1, 10, "m"), rotate(), look(4, 70, "n"), look(5, 80, "n")}, []int{0, 1, 2, 3}, ""},
		{"a rotation is forgotten", []*Op{look(1, 10, "m"), rotate(), look(4, 70, "m")}, []int{0, 1, 2}, "material k"},
		{"a rotation is refused", []*Op{disable(), with(rotate(), refused("DisabledException"))}, []int{0, 1}, ""},
		{"it has no effect", []*Op{look(1, 5, "m"), with(rotate(), refused("LimitExceededException")), look(4, 70, "m")}, []int{0, 1, 2}, ""},
		{"a lost rotation leaves it open", []*Op{look(1, 5, "m"), lost(rotate()), look(4, 70, "n")}, []int{0, 1, 2}, ""},
		{"an alias is found", []*Op{create(), with(answered(2, "DescribeKey", "alias/a", 30, 40), func(op *Op) { op.Resolved = "k" })}, []int{0, 1}, ""},
		{"an alias leads elsewhere", []*Op{create(), with(answered(2, "DescribeKey", "alias/a", 30, 40), func(op *Op) { op.Resolved = "x" })}, []int{0, 1}, "does not fit"},
		{"an alias is lost", []*Op{create(), with(answered(2, "DescribeKey", "alias/a", 30, 40), refused("NotFoundException"))}, []int{0, 1}, "does not fit"},
		{"a grant allows", []*Op{grant(), use(2, 20, "")}, []int{0, 1}, ""},
		{"it does not", []*Op{grant(), use(2, 20, accessDenied)}, []int{0, 1}, "right u"},
		{"it is for something else", []*Op{with(grant(), func(op *Op) { op.Value = "Decrypt" }), use(2, 20, "")}, []int{0, 1}, "right u"},
		{"it is revoked", []*Op{grant(), use(2, 20, ""), revoke(), use(4, 40, accessDenied)}, []int{0, 1, 2, 3}, ""},
		{"it allows all the same", []*Op{grant(), revoke(), use(4, 40, "")}, []int{0, 1, 2}, "right u"},
		{"they overlap", []*Op{grant(), revoke(), use(4, 32, "")}, []int{0, 2, 1}, ""},
		{"it is revoked twice", []*Op{grant(), revoke(), with(revoke(), func(op *Op) { op.ID, op.RequestID = 4, "r4" })}, []int{0, 1, 2}, "right u"},
		{"a lost grant allows", []*Op{lost(grant()), use(2, 20, "")}, []int{0, 1}, ""},
		{"it was refused", []*Op{with(lost(grant()), func(op *Op) { op.Grant = "" }), use(2, 20, "")}, []int{0, 1}, "right u"},
		{"it is listed", []*Op{grant(), right(2, "ListGrants", 20, func(op *Op) { op.Listed = []string{"g"} })}, []int{0, 1}, ""},
		{"it is not", []*Op{grant(), right(2, "ListGrants", 20, func(*Op) {})}, []int{0, 1}, "right u"},
		{"it is listed by who came first", []*Op{grant(), right(2, "ListGrants", 8, func(op *Op) { op.Listed, op.End = []string{"g"}, 30 })}, []int{1, 0}, ""},
		{"a policy allows", []*Op{right(1, "PutUserPolicy", 10, func(op *Op) { op.Value = "Allow" }), use(2, 20, "")}, []int{0, 1}, ""},
		{"a policy denies", []*Op{grant(), right(2, "PutKeyPolicy", 20, func(op *Op) { op.Value = "Deny" }), use(3, 30, "")}, []int{0, 1, 2}, "right u"},
		{"a policy is gone", []*Op{right(1, "AttachUserPolicy", 10, func(*Op) {}), right(2, "DetachUserPolicy", 20, func(*Op) {}), use(3, 30, accessDenied)}, []int{0, 1, 2}, ""},
		{"it never was", []*Op{right(1, "DeleteUserPolicy", 10, func(*Op) {})}, []int{0}, "right u"},
		{"an access key signs", []*Op{signed(1, 10, Answered)}, []int{0}, ""},
		{"it does not", []*Op{signed(1, 10, TurnedAway)}, nil, "credential AKIA"},
		{"it is inactive", []*Op{switched(1, "UpdateAccessKey", 10, "Inactive"), signed(2, 20, TurnedAway)}, []int{0}, ""},
		{"that leaves a record", []*Op{switched(1, "UpdateAccessKey", 10, "Inactive"), signed(2, 20, TurnedAway)}, []int{0, 1}, "nothing happened"},
		{"it signs all the same", []*Op{switched(1, "UpdateAccessKey", 10, "Inactive"), signed(2, 20, Answered)}, []int{0, 1}, "credential AKIA"},
		{"an answer is lost, and the record shows it", []*Op{switched(1, "UpdateAccessKey", 10, "Inactive"), lost(signed(2, 20, Answered))}, []int{0, 1}, "credential AKIA"},
		{"it is active again", []*Op{switched(1, "UpdateAccessKey", 10, "Inactive"), switched(2, "UpdateAccessKey", 20, "Active"), signed(3, 30, Answered)}, []int{0, 1, 2}, ""},
		{"it is deleted", []*Op{switched(1, "DeleteAccessKey", 10, ""), signed(2, 20, Answered)}, []int{0, 1}, "credential AKIA"},
		{"it comes back", []*Op{switched(1, "DeleteAccessKey", 10, ""), switched(2, "UpdateAccessKey", 20, "Active")}, []int{0, 1}, "credential AKIA"},
		{"nothing is imported", []*Op{external(1, "Encrypt", 10, "")}, []int{0}, "import x"},
		{"material is imported", []*Op{external(1, "ImportKeyMaterial", 10, Own), external(2, "Encrypt", 20, ""), external(3, "DescribeKey", 30, enabled)}, []int{0, 1, 2}, ""},
		{"it is deleted", []*Op{external(1, "ImportKeyMaterial", 10, Own), external(2, "DeleteImportedKeyMaterial", 20, ""), external(3, "Decrypt", 30, "")}, []int{0, 1, 2}, "import x"},
		{"and described as if it were not", []*Op{external(1, "ImportKeyMaterial", 10, Own), external(2, "DeleteImportedKeyMaterial", 20, ""), external(3, "DescribeKey", 30, enabled)}, []int{0, 1, 2}, "import x"},
		{"other material is imported", []*Op{external(1, "ImportKeyMaterial", 10, Own), external(2, "ImportKeyMaterial", 20, Foreign)}, []int{0, 1}, "import x"},
		{"it is refused", []*Op{external(1, "ImportKeyMaterial", 10, Own), with(external(2, "ImportKeyMaterial", 20, Foreign), refused("IncorrectKeyMaterialException"))}, []int{0, 1}, ""},
		{"there is no replica", []*Op{there(1, "Encrypt", 10, second, "")}, []int{0}, "regions mrk"},
		{"there is one", []*Op{replicate(), there(2, "Encrypt", 20, second, "")}, []int{0, 1}, ""},
		{"it is not found", []*Op{replicate(), with(there(2, "Decrypt", 20, second, ""), refused("NotFoundException"))}, []int{0, 1}, "regions mrk"},
		{"it is made twice", []*Op{replicate(), with(replicate(), func(op *Op) { op.ID, op.RequestID = 2, "r2" })}, []int{0, 1}, "regions mrk"},
		{"it is described", []*Op{replicate(), with(there(2, "DescribeKey", 20, second, ""), func(op *Op) { op.Resolved, op.Listed = first, []string{second} })}, []int{0, 1}, ""},
		{"it is rotated by itself", []*Op{replicate(), there(2, "RotateKeyOnDemand", 20, second, "")}, []int{0, 1}, "regions mrk"},
		{"it becomes the primary key", []*Op{replicate(), there(2, "UpdatePrimaryRegion", 20, first, second), there(3, "RotateKeyOnDemand", 30, second, "")}, []int{0, 1, 2}, ""},
		{"the other still is", []*Op{replicate(), there(2, "UpdatePrimaryRegion", 20, first, second), there(3, "RotateKeyOnDemand", 30, first, "")}, []int{0, 1, 2}, "regions mrk"},
		{"a user is there", []*Op{name(1, "CreateUser", 10, "AIDA1"), name(2, "GetUser", 20, "AIDA1")}, []int{0, 1}, ""},
		{"it is another", []*Op{name(1, "CreateUser", 10, "AIDA1"), name(2, "GetUser", 20, "AIDA2")}, []int{0, 1}, "user alice"},
		{"two have one name", []*Op{name(1, "CreateUser", 10, "AIDA1"), name(2, "CreateUser", 12, "AIDA2")}, []int{0, 1}, "user alice"},
		{"one after the other", []*Op{name(1, "CreateUser", 10, "AIDA1"), name(2, "DeleteUser", 20, ""), name(3, "CreateUser", 30, "AIDA3")}, []int{0, 1, 2}, ""},
		{"a lost one is there", []*Op{lost(name(1, "CreateUser", 10, "AIDA1")), name(2, "GetUser", 20, "AIDA1")}, []int{0, 1}, ""},
		{"an alias is made twice", []*Op{create(), with(create(), func(op *Op) { op.ID, op.RequestID = 2, "r2" })}, []int{0, 1}, "does not fit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := NewLedger(test.ops)
			for position, i := range test.ledger {
				l.Add(int64(position), []byte(record(test.ops[i])))
			}
			problems := append(l.Finish(), l.Linearizable(t.TempDir(), 10*time.Second)...)
			text := fmt.Sprint(problems)
			if (len(problems) > 0) != (test.want != "") || !strings.Contains(text, test.want) {
				t.Errorf("want %q, got %v", test.want, problems)
			}
		})
	}
}

// TestLinearizableAlone: the order of clients' times is judged without the ledger's.
func TestLinearizableAlone(t *testing.T) {
	ops := []*Op{answered(1, "DisableKey", "k", 10, 20), answered(2, "Encrypt", "k", 30, 40)}
	dir := t.TempDir()
	problems := NewLedger(ops).Linearizable(dir, 10*time.Second)
	if len(problems) != 1 || !strings.Contains(problems[0].Text, dir) {
		t.Errorf("got %v", problems)
	}
}

// TestForeignRecords: records of others are passed over, impossible ones are not.
func TestForeignRecords(t *testing.T) {
	l := NewLedger(nil)
	l.Add(0, []byte(`{"eventName":"InitializeCluster","userAgent":"cofre"}`))
	if len(l.Problems) != 0 {
		t.Errorf("got %v", l.Problems)
	}
	l.Add(1, []byte(`{"userAgent":"history/7"}`))
	l.Add(2, []byte(`no JSON`))
	if len(l.Problems) != 2 {
		t.Errorf("got %v", l.Problems)
	}
}

// TestHeads: a tree that some node showed and that is no prefix is noticed.
func TestHeads(t *testing.T) {
	var tree []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			hashes[i] = tree[at]
		}
		return hashes, nil
	})
	var heads []Head
	for n := range int64(5) {
		stored, err := tlog.StoredHashes(n, fmt.Append(nil, n), read)
		if err != nil {
			t.Fatal(err)
		}
		tree = append(tree, stored...)
		root, err := tlog.TreeHash(n+1, read)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, Head{Node: "n", Size: n + 1, Root: root})
	}
	if problems := CheckHeads(heads, 5, read); len(problems) != 0 {
		t.Errorf("got %v", problems)
	}
	heads[2].Root[0]++
	if problems := CheckHeads(heads, 4, read); len(problems) != 2 {
		t.Errorf("got %v", problems)
	}
}
