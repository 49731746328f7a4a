package kms

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// drawContext draws few pairs of few, so that they meet.
func drawContext(t *rapid.T, name string, most int) encryptionContext {
	var ec encryptionContext
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "A", "b", "c"}), 0, most, rapid.ID[string]).Draw(t, name) {
		ec = append(ec, shape.Pair{Key: key, Value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, name+"."+key)})
	}
	return ec
}

func drawGrant(t *rapid.T, name string) *state.Grant {
	g := &state.Grant{
		AccountID: "111122223333", Region: "eu-central-1", KeyID: "k",
		Operations: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"Encrypt", "Decrypt", createGrant, describeKey, retireGrant}),
			1, 3, rapid.ID[string]).Draw(t, name+" operations"),
	}
	g.Grantee.ID = rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, name+" grantee")
	switch rapid.IntRange(0, 5).Draw(t, name+" constraint") {
	case 0:
		g.Equals = toPairs(drawContext(t, name+" equals", 3))
	case 1, 2:
		g.Subset = toPairs(drawContext(t, name+" subset", 3))
	case 3:
		g.Equals, g.Subset = toPairs(drawContext(t, name+" equals", 2)), toPairs(drawContext(t, name+" subset", 1))
	case 4:
		g.SourceARN = rapid.SampledFrom([]string{"", "arn:aws:s3:::b"}).Draw(t, name+" source")
	}
	return g
}

// TestTheIndexFindsWhatAScanWould holds the decision, which looks into few slots,
// against a look at every grant, while grants come and go.
func TestTheIndexFindsWhatAScanWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		node := servertest.New(t)
		write := func(run func(tx *fsm.Txn) error) {
			if _, err := node.Transact(context.Background(), "", run); err != nil {
				rt.Fatal(err)
			}
		}
		var grants []*state.Grant
		for i := range rapid.IntRange(0, 8).Draw(rt, "grants") {
			g := drawGrant(rt, fmt.Sprint("grant ", i))
			g.ID = fmt.Sprintf("%064x", i)
			write(func(tx *fsm.Txn) error { return addGrant(tx, g) })
			grants = append(grants, g)
		}
		for range rapid.IntRange(0, len(grants)).Draw(rt, "removed") {
			i := rapid.IntRange(0, len(grants)-1).Draw(rt, "which")
			write(func(tx *fsm.Txn) error { return removeGrant(tx, grants[i]) })
			grants = slices.Delete(grants, i, i+1)
		}
		ref := reference{account: "111122223333", region: "eu-central-1", id: "k"}
		for range 8 {
			who := rapid.SampledFrom([][]string{{"ann"}, {"bob"}, {"eve", "ann"}, {"eve"}}).Draw(rt, "who")
			a := access{action: rapid.SampledFrom([]string{"Encrypt", "Decrypt", createGrant, describeKey}).Draw(rt, "action")}
			if a.action == createGrant {
				a.grant = drawGrant(rt, "delegated")
			} else {
				a.context = drawContext(rt, "context", 4)
			}
			allowing := map[string]bool{}
			for _, g := range grants {
				if slices.Contains(who, g.Grantee.ID) && a.allowedBy(g) {
					allowing[g.ID] = true
				}
			}
			id, ok, err := grantsAllow(fsm.NewTxn(node.View()), ref, who, a)
			if err != nil || ok != (len(allowing) > 0) || ok != allowing[id] {
				rt.Fatalf("%v by %v: grant %q, %v, %v; allowing are %v", a, who, id, ok, err, allowing)
			}
		}
		for len(grants) > 0 {
			write(func(tx *fsm.Txn) error { return removeGrant(tx, grants[0]) })
			grants = grants[1:]
		}
		err := node.View().Scan("gran", "", func(key fsm.Key, _ *fsm.Record) (bool, error) {
			rt.Errorf("%q is left", key)
			return true, nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
