package kms

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

var update = flag.Bool("update", false, "write docs/api.md anew")

// lateAnswers are the answers of operations that answer after their commit, or in
// more than one way: their methods do not say the type.
func lateAnswers() map[string]any {
	return map[string]any{
		"GetKeyLastUsage": getKeyLastUsageResponse{}, "ListAliases": listAliasesResponse{}, "ListGrants": listGrantsResponse{},
		"ListKeys": listKeysResponse{}, "ListRetirableGrants": listGrantsResponse{},
	}
}

// refusedMembers are members of requests that are understood and refused.
func refusedMembers() map[string]string {
	return map[string]string{}
}

// TestAPIDoc holds docs/api.md against the Go SDK's model and against our own
// shapes: what the model has is in the table, with what we make of it.
//
//	go test ./server/kms -run TestAPIDoc -update
func TestAPIDoc(t *testing.T) {
	want := apiDoc(t)
	path := filepath.Join("..", "..", "docs", "api.md")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/api.md is not what the model and the shapes say: run this test with -update")
	}
}

// modelOperations are the operations of the SDK's client.
func modelOperations() map[string]reflect.Type {
	client := reflect.TypeFor[*sdk.Client]()
	found := map[string]reflect.Type{}
	for i := range client.NumMethod() {
		method := client.Method(i)
		if method.Type.NumIn() == 4 && strings.HasSuffix(method.Type.In(2).String(), "."+method.Name+"Input") {
			found[method.Name] = method.Type
		}
	}
	return found
}

func apiDoc(t *testing.T) []byte {
	model, ours := modelOperations(), map[string]call.Operation{}
	for _, op := range New(Config{}).Operations() {
		ours[op.Name] = op
		if _, ok := model[op.Name]; !ok {
			t.Errorf("%s is not in the SDK", op.Name)
		}
	}
	var names, missing []string
	for name := range model {
		names = append(names, name)
		if _, ok := ours[name]; !ok {
			missing = append(missing, name)
		}
	}
	slices.Sort(names)
	slices.Sort(missing)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The API, member by member\n\nMade by `TestAPIDoc` from the Go SDK's model of AWS KMS and from Cofre's shapes; do not edit it.\n\n"+
		"%d of %d operations are served.", len(names)-len(missing), len(names))
	if len(missing) > 0 {
		fmt.Fprintf(&b, " Not served: %s.", strings.Join(missing, ", "))
	}
	b.WriteString("\n\n| Operation | Member | In | |\n|---|---|---|---|\n")
	for _, name := range names {
		op, served := ours[name]
		writeMembers(&b, name, "request", model[name].In(2).Elem(), served, requestMembers(name))
		writeMembers(&b, name, "response", model[name].Out(0).Elem(), served, responseMembers(t, op, model[name].Out(0).Elem()))
	}
	writeExceptions(&b)
	return b.Bytes()
}

func writeMembers(b *bytes.Buffer, operation, in string, members reflect.Type, served bool, ours map[string]bool) {
	for _, name := range membersOf(members) {
		verdict := "not served"
		if note := refusedMembers()[operation+"."+name]; note != "" {
			verdict = note
		} else if served && ours[name] {
			verdict = "served"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", operation, name, in, verdict)
	}
}

// membersOf are the members of a structure of the SDK, and theirs where they are
// structures: KeyMetadata, KeyMetadata.Arn.
func membersOf(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if !field.IsExported() || field.Name == "ResultMetadata" {
			continue
		}
		names = append(names, field.Name)
		if nested := structure(field.Type); nested != nil {
			for _, name := range membersOf(nested) {
				names = append(names, field.Name+"."+name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// structure is the structure that a member is, or has in a list; nil of another.
func structure(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if t.Implements(reflect.TypeFor[json.Marshaler]()) {
			return nil // it decides itself how it is written
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	return t
}

func requestMembers(operation string) map[string]bool {
	found := map[string]bool{}
	addDescribed(found, "", requests()[operation].ours)
	return found
}

func addDescribed(found map[string]bool, prefix string, d shape.Description) {
	if d.Member != nil {
		d = *d.Member
	}
	for name, member := range d.Members {
		found[prefix+name] = true
		addDescribed(found, prefix+name+".", member)
	}
}

// responseMembers are the members of what an operation answers.
func responseMembers(t *testing.T, op call.Operation, model reflect.Type) map[string]bool {
	answer := op.Response
	if late, ok := lateAnswers()[op.Name]; ok {
		answer = reflect.TypeOf(late)
	}
	if answer == nil || op.Name == "" {
		return nil
	}
	if answer = structure(answer); answer == nil {
		if len(membersOf(model)) > 0 {
			t.Errorf("the type of what %s answers is not known: add it to lateAnswers", op.Name)
		}
		return nil
	}
	found := map[string]bool{}
	addAnswered(found, "", answer)
	theirs := membersOf(model)
	for name, always := range found {
		if always && !slices.Contains(theirs, name) {
			t.Errorf("%s answers %s, which the SDK does not have", op.Name, name)
		}
		found[name] = true
	}
	return found
}

// addAnswered adds the members of an answer, and whether they are always there:
// operations that answer alike share a type, and leave out what is not theirs.
func addAnswered(found map[string]bool, prefix string, t reflect.Type) {
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		if field.Anonymous || name == "-" {
			continue
		}
		found[prefix+name] = !strings.Contains(options, "omitempty")
		if nested := structure(field.Type); nested != nil {
			addAnswered(found, prefix+name+".", nested)
		}
	}
}

// writeExceptions lists the model's exceptions, and whether this package or the
// front end names them.
func writeExceptions(b *bytes.Buffer) {
	var source strings.Builder
	for _, pattern := range []string{"*.go", filepath.Join("..", "*.go")} {
		files, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				text, _ := os.ReadFile(file)
				source.Write(text)
			}
		}
	}
	var names []string
	for id := range sdk.TypeRegistry.Entries {
		if name := id[strings.Index(id, "#")+1:]; strings.HasSuffix(name, "Exception") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b.WriteString("\n## Exceptions of the model\n\n| Exception | |\n|---|---|\n")
	for _, name := range names {
		verdict := "not answered"
		if strings.Contains(source.String(), `"`+name+`"`) {
			verdict = "answered"
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, verdict)
	}
}
