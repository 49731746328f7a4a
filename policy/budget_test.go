package policy

import (
	"fmt"
	"strings"
	"testing"
)

// maxKeyPolicy is the longest key policy that KMS takes, in bytes.
const maxKeyPolicy = 32768

// TestNoDocumentTakesMoreSteps tries documents that are there to waste time. A
// step is counted before it is taken, except the last: so many bytes as the
// longest value of a request has.
func TestNoDocumentTakesMoreSteps(t *testing.T) {
	value := strings.Repeat("a", 8192)
	for name, condition := range map[string]string{
		"stars":          `{"StringLike":{"x:v":[` + fill(`"`+strings.Repeat("*a", 40)+`b"`) + `]}}`,
		"long pattern":   `{"StringLike":{"x:v":"` + strings.Repeat("*a", maxKeyPolicy/2-200) + `b"}}`,
		"questions":      `{"StringLike":{"x:v":"*` + strings.Repeat("?", maxKeyPolicy/2-200) + `b*"}}`,
		"question stars": `{"StringLike":{"x:v":[` + fill(`"*`+strings.Repeat("a?", 200)+`b*"`) + `]}}`,
		"variables":      `{"StringNotLike":{"x:v":[` + fill(`"${x:v}${x:v}${x:v}${x:v}*b"`) + `]}}`,
		"folded":         `{"StringEqualsIgnoreCase":{"x:v":[` + fill(`"`+strings.Repeat("A", 50)+`"`) + `]}}`,
		"all values":     `{"ForAllValues:StringLike":{"x:many":[` + fill(`"*b*"`) + `,"*"]}}`,
	} {
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":` +
			condition + `},{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
		if len(document) > maxKeyPolicy {
			t.Fatalf("%s: %d bytes", name, len(document))
		}
		d, err := Parse(KeyPolicy, document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		context := words{"x:v": {value}, "x:many": strings.Split(strings.Repeat("a,", 1000), ",")}
		r := &Request{Principal: who(t, "alice"), Action: "kms:Encrypt", Resource: "arn:aws:kms:e:1:key/k", Account: "111122223333", Context: context}
		got, steps := evaluate(r, &Policies{Resource: d, Grant: func() Reach { return ByName }})
		if steps > MaxSteps+4*len(value) {
			t.Errorf("%s: %d steps", name, steps)
		}
		if steps > MaxSteps && (got.Outcome == Allow || !got.Exhausted) {
			t.Errorf("%s: %v after %d steps, though it was not looked at to its end", name, got.Outcome, steps)
		}
	}
}

// TestExhaustionDenies: a denial behind the end of the budget still denies.
func TestExhaustionDenies(t *testing.T) {
	d, err := Parse(KeyPolicy, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotLike":{"x:v":[`+
		fill(`"*`+strings.Repeat("a?", 200)+`b*"`)+`]}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	r := &Request{
		Principal: who(t, "alice"), Action: "kms:Encrypt", Resource: "arn:aws:kms:e:1:key/k", Account: "111122223333",
		Context: words{"x:v": {strings.Repeat("a", 8192)}},
	}
	got, steps := evaluate(r, &Policies{Resource: d, Grant: func() Reach { return ByName }})
	if got.Outcome == Allow || !got.Exhausted || steps <= MaxSteps {
		t.Errorf("%v, exhausted %v, after %d steps", got.Outcome, got.Exhausted, steps)
	}
}

// fill repeats a value of a list as often as a key policy holds it.
func fill(value string) string {
	return strings.TrimSuffix(strings.Repeat(value+",", (maxKeyPolicy-400)/(len(value)+1)), ",")
}

// TestTypicalSteps has what ordinary policies take, so that the budget can be
// judged.
func TestTypicalSteps(t *testing.T) {
	s := readSuite(t, "testdata/cases/keypolicy.txt")
	most := 0
	for _, c := range s.cases {
		_, steps := evaluate(&c.request, s.assemble(t, c.policies))
		most = max(most, steps)
	}
	if most == 0 || most > MaxSteps/100 {
		t.Errorf("the cases take up to %d steps of %d", most, MaxSteps)
	}
	// A key policy that is as long as it can be, of statements as people write them.
	var statements []string
	for i := 0; len(strings.Join(statements, ",")) < maxKeyPolicy-500; i++ {
		statements = append(statements, fmt.Sprintf(`{"Sid":"s%d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/r%d"},`+
			`"Action":["kms:Encrypt","kms:GenerateDataKey*"],"Resource":"*","Condition":{"StringLike":{"aws:username":"*%d*"}}}`, i, i, i))
	}
	d, err := Parse(KeyPolicy, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	r := &Request{Principal: who(t, "alice"), Action: "kms:GenerateDataKey", Resource: "arn:aws:kms:e:1:key/k", Account: "111122223333",
		Context: words{"aws:username": {"alice"}}}
	if got, steps := evaluate(r, &Policies{Resource: d}); got.Exhausted || steps > MaxSteps/10 {
		t.Errorf("%d statements take %d steps of %d", d.Statements(), steps, MaxSteps)
	}
}
