package clients

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/rig"
)

// scenario is testdata/scenario.json: calls, and what each client must see.
type scenario struct {
	// Shapes are objects by name. {"$shape": name, …} in what is expected is one of
	// them with other members instead; null takes a member away.
	Shapes   map[string]map[string]any
	Sections []struct {
		Name  string
		Steps []step
	}
}

// step is one call. In holds the members of the API's model: text for bytes, and
//
//	"$name", "${name}"        variables, as in what is expected
//	{"$repeat": [text, n]}    text that is repeated
//	{"$flip": bytes}          the bytes, with the last bit changed
//	{"$in": duration}         a time from now
//	{"$wrap": [text, bytes]}  text that is encrypted with RSAES_OAEP_SHA_256 to a public key
type step struct {
	Op     string
	As     string // "second": the second account's administrator
	Region string // "": the first one
	In     map[string]any
	// What is answered: Out, see matcher.match, or Error with Message where it is
	// given. A step with neither has no output.
	Out     map[string]any
	Error   string
	Message *string
}

func readScenario(t *testing.T) scenario {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "scenario.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// refusedOnly are the operations of which the scenario has only refusals: a key
// store needs a device or a proxy of its own, which other tests have.
var refusedOnly = []string{
	"ConnectCustomKeyStore", "CreateCustomKeyStore", "DeleteCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
}

// TestScenarioIsComplete holds the scenario against the operations of the SDK.
func TestScenarioIsComplete(t *testing.T) {
	called := make(map[string]bool)
	for _, section := range readScenario(t).Sections {
		for _, step := range section.Steps {
			if _, ok := method(step.Op); !ok {
				t.Errorf("%s: the SDK has no operation %s", section.Name, step.Op)
			}
			called[step.Op] = called[step.Op] || step.Error == ""
		}
	}
	client := methodsOfClient()
	for _, op := range client {
		if answered, there := called[op]; !there || !answered && !slices.Contains(refusedOnly, op) {
			t.Errorf("no step has an answer of %s", op)
		}
	}
	if len(client) < 56 {
		t.Errorf("the SDK has only %d operations", len(client))
	}
}

// TestScenario has every client of AWS play the scenario, each step on the next
// node. The CLI, a process for each step, does so on one kind of partition.
func TestScenario(t *testing.T) {
	for _, kind := range rig.Kinds(t) {
		t.Run(kind, func(t *testing.T) {
			c := rig.Start(t, rig.Config{Binary: binary, HSM: kind, Prepare: assist})
			t.Run("Go", func(t *testing.T) { play(t, c, "go", newGoSDK(t, c), false) })
			t.Run("JavaScript", func(t *testing.T) { play(t, c, "js", javaScript(t, c), false) })
			t.Run("boto3", func(t *testing.T) { play(t, c, "boto3", boto3(t, c), true) })
			if kind == rig.Soft {
				t.Run("CLI", func(t *testing.T) { play(t, c, "cli", newAWSCLI(t, c), true) })
			}
		})
	}
}

// assist lets software do what a token cannot, as scripts/up does.
func assist(n *rig.Node) error {
	path := filepath.Join(n.Dir(), "cofre.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = bytes.Replace(text, []byte("kind = \"pkcs11\"\n"), []byte("kind = \"pkcs11\"\nsoftware_assisted = [\"all\"]\n"), 1)
	return os.WriteFile(path, text, 0o600)
}

// player plays the scenario with one client.
type player struct {
	matcher
	t       *testing.T
	cluster *rig.Cluster
	shapes  map[string]map[string]any
	driver  driver
	// dated: the client's release may be older than some operations and members.
	dated         bool
	turn, skipped int
}

func play(t *testing.T, c *rig.Cluster, name string, d driver, dated bool) {
	s := readScenario(t)
	p := &player{t: t, cluster: c, shapes: s.Shapes, driver: d, dated: dated}
	p.vars = map[string]any{"client": name, "account": c.Admin.AccountID, "second": c.Second.AccountID, "region": rig.Region}
	steps := 0
	for _, section := range s.Sections {
		for i := range section.Steps {
			steps++
			if err := p.step(&section.Steps[i]); err != nil {
				t.Fatalf("%s, step %d, %s: %v", section.Name, i+1, section.Steps[i].Op, err)
			}
		}
	}
	if p.skipped > 0 {
		t.Logf("%d of %d steps need a newer release of this client", p.skipped, steps)
	}
	if p.skipped > steps/2 {
		t.Errorf("only %d of %d steps were played", steps-p.skipped, steps)
	}
}

// errUnknown is returned for a step that has to do with what the client's release
// does not know.
var errUnknown = errors.New("unknown to this release of the client")

func (p *player) step(s *step) error {
	err := p.try(s)
	if errors.Is(err, errUnknown) && p.dated {
		p.skipped++
		return nil
	}
	return err
}

func (p *player) try(s *step) error {
	op, ok := method(s.Op)
	if !ok {
		return errors.New("no such operation")
	}
	in, err := p.value(s.In)
	if err != nil {
		return err
	}
	c := p.call(s)
	c.In, _ = typed(inputOf(op), in).(map[string]any)
	a, err := p.driver.do(c)
	if err != nil {
		return err
	}
	if a.Unknown != "" {
		return fmt.Errorf("%w: %s", errUnknown, a.Unknown)
	}
	if a.RequestID != "" {
		p.cluster.Journal.Add(rig.Answer{Operation: s.Op, RequestID: a.RequestID, Status: a.Status, Code: a.Error})
	}
	return p.compare(s, op, c, a)
}

// call is a step's call, on the next node.
func (p *player) call(s *step) call {
	who, region := p.cluster.Admin, s.Region
	if s.As == "second" {
		who = p.cluster.Second
	}
	if region == "" {
		region = rig.Region
	}
	p.turn++
	return call{
		Op: s.Op, Endpoint: p.cluster.Nodes[p.turn%len(p.cluster.Nodes)].URL(), Region: region,
		AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey,
	}
}

func (p *player) compare(s *step, op reflect.Method, c call, a answer) error {
	p.problems, p.known = nil, p.knows(c)
	if s.Error != a.Error {
		return fmt.Errorf("error %q (%s), want %q", a.Error, a.Message, s.Error)
	}
	if s.Error != "" {
		if s.Message != nil {
			p.match("message", *s.Message, a.Message)
		}
		p.match("status", 400, a.Status)
	} else {
		want, _ := p.shaped(s.Out).(map[string]any)
		p.match("", want, model(outputOf(op), a.Out))
	}
	if p.problems != nil {
		return errors.New(strings.Join(p.problems, "\n"))
	}
	return nil
}

// knows answers whether the client knows a member of the answer to a call. Only
// dated clients are asked.
func (p *player) knows(c call) func(string) bool {
	return func(member string) bool {
		if !p.dated {
			return true
		}
		c.Model = true
		a, err := p.driver.do(c)
		if err != nil {
			p.problem("", "%v", err)
		}
		return slices.Contains(a.Members, member)
	}
}

// shaped puts the shapes into what is expected.
func (p *player) shaped(want any) any {
	switch want := want.(type) {
	case []any:
		out := make([]any, len(want))
		for i := range want {
			out[i] = p.shaped(want[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any)
		if name, ok := want["$shape"].(string); ok {
			if p.shapes[name] == nil {
				p.problem("", "there is no shape %q", name)
			}
			maps.Copy(out, p.shapes[name])
		}
		for name, member := range want {
			if name != "$shape" {
				out[name] = p.shaped(member)
			}
		}
		maps.DeleteFunc(out, func(_ string, member any) bool { return member == nil })
		return out
	}
	return want
}

// value puts the values of variables and functions into an input.
func (p *player) value(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return p.textValue(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = p.value(v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			member, err := p.value(v[name])
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(name, "$") {
				return function(name, member)
			}
			out[name] = member
		}
		return out, nil
	}
	return v, nil
}

// textValue is text with its variables. One that has no value was to be learnt by
// a step that was left out.
func (p *player) textValue(text string) (any, error) {
	if name, ok := variable(text); ok {
		if value, ok := p.vars[name]; ok {
			return value, nil
		}
		return nil, fmt.Errorf("$%s: %w", name, errUnknown)
	}
	p.problems = nil
	text = p.expand(text)
	if p.problems != nil {
		return nil, fmt.Errorf("%w: %v", errUnknown, p.problems)
	}
	return text, nil
}

// function answers what {name: argument} stands for.
func function(name string, argument any) (any, error) {
	list, _ := argument.([]any)
	switch {
	case name == "$repeat" && len(list) == 2:
		text, _ := list[0].(string)
		times, _ := list[1].(float64)
		return strings.Repeat(text, int(times)), nil
	case name == "$flip":
		b, _ := argument.([]byte)
		b = slices.Clone(b)
		b[len(b)-1] ^= 1
		return b, nil
	case name == "$in":
		text, _ := argument.(string)
		d, err := time.ParseDuration(text)
		return time.Now().Add(d).Truncate(time.Second).UTC(), err
	case name == "$wrap" && len(list) == 2:
		text, _ := list[0].(string)
		der, _ := list[1].([]byte)
		return wrap(text, der)
	}
	return nil, fmt.Errorf("there is no function %s of %v", name, argument)
}

func wrap(text string, der []byte) ([]byte, error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the wrapping key is a %T", public)
	}
	return rsa.EncryptOAEP(sha256.New(), rand.Reader, key, []byte(text), nil)
}

// typed gives an input the types of the SDK's struct: text becomes bytes.
func typed(of reflect.Type, v any) any {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = member
			if of.Kind() == reflect.Struct {
				if field, ok := of.FieldByName(name); ok {
					out[name] = typed(field.Type, member)
				}
			}
		}
		return out
	case string:
		if of == reflect.TypeFor[[]byte]() {
			return []byte(v)
		}
	}
	return v
}
