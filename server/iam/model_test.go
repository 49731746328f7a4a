package iam

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/cofre-kms/cofre/server/shape"
)

// TestModel compares the requests with those of the published model
// (testdata/extract.py, with the names of all operations).
func TestModel(t *testing.T) {
	raw, err := os.ReadFile("testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	var model map[string]shape.Description
	if err := json.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	for _, op := range New(Config{}).table() {
		ours, _ := json.MarshalIndent(plain(op.request), "", " ")
		theirs, _ := json.MarshalIndent(plain(model[op.Name]), "", " ")
		if string(ours) != string(theirs) {
			t.Errorf("%s: ours is %s\nthe model's is %s", op.Name, ours, theirs)
		}
		delete(model, op.Name)
	}
	for name := range model {
		t.Errorf("%s is not served", name)
	}
}

// plain leaves out what the two write differently and means the same.
func plain(d shape.Description) shape.Description {
	if len(d.Members) == 0 {
		d.Members = nil
	}
	if len(d.Required) == 0 {
		d.Required = nil
	}
	return d
}

// TestNames: no operation is there twice.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range New(Config{}).Operations() {
		if seen[op.Name] {
			t.Errorf("%s is there twice", op.Name)
		}
		seen[op.Name] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d operations", len(seen))
	}
}
