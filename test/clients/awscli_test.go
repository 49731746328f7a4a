package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/test/rig"
)

// awsCLI is a driver that runs the AWS CLI for each call.
type awsCLI struct {
	dir string // for files that are arguments
	env []string
}

func newAWSCLI(t *testing.T, c *rig.Cluster) driver {
	if exec.Command("aws", "--version").Run() != nil {
		absent(t, "the AWS CLI is not installed")
	}
	return &awsCLI{t.TempDir(), append(c.Environment(), "AWS_PAGER=")}
}

// cliError is how the CLI reports an error that the service answered.
var cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the \w+ operation(?: \([^)]*\))?: ?(.*)`)

// tooNew is what the CLI says of operations and options that it does not know.
var tooNew = regexp.MustCompile(`(?i)invalid choice|unknown options`)

func (a *awsCLI) do(c call) (answer, error) {
	if c.Model {
		return a.model(c)
	}
	args, err := a.arguments(c.In)
	if err != nil {
		return answer{}, err
	}
	out, problem, err := a.run(c, append([]string{"--no-paginate"}, args...)...)
	if err != nil {
		if m := cliError.FindStringSubmatch(problem); m != nil {
			return answer{Status: 400, Error: m[1], Message: strings.TrimSpace(m[2])}, nil
		}
		if tooNew.MatchString(problem) {
			return answer{Unknown: problem}, nil
		}
		return answer{}, fmt.Errorf("aws: %w\n%s", err, problem)
	}
	found := answer{Status: 200, Out: map[string]any{}}
	if len(bytes.TrimSpace(out)) > 0 { // an operation without output prints nothing
		err = json.Unmarshal(out, &found.Out)
	}
	return found, err
}

// model asks the CLI for the skeleton of an answer.
func (a *awsCLI) model(c call) (answer, error) {
	args, err := a.arguments(c.In) // some releases demand them
	if err != nil {
		return answer{}, err
	}
	out, problem, err := a.run(c, append(args, "--generate-cli-skeleton", "output")...)
	if strings.Contains(problem, "Parameter validation failed") {
		// Releases around 2.9 find their own skeleton invalid. They do not say what
		// they know, so nothing is held against them that is missing.
		return answer{Members: []string{""}}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("aws: %w\n%s", err, problem)
	}
	found := answer{Members: []string{""}}
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllSubmatch(out, -1) {
		found.Members = append(found.Members, string(m[1]))
	}
	return found, nil
}

func (a *awsCLI) run(c call, args ...string) (out []byte, problem string, err error) {
	cmd := exec.Command("aws", append([]string{"kms", dashed(c.Op), "--output", "json"}, args...)...)
	cmd.Env = append(slices.Clone(a.env), "AWS_ACCESS_KEY_ID="+c.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+c.SecretAccessKey)
	cmd.Args = append(cmd.Args, "--endpoint-url", c.Endpoint, "--region", c.Region)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, "", err
	}
	return out, stderr.String(), err
}

// arguments are the options of an input's members. Bytes are in files, because
// the CLI's releases read them from the command line in different ways.
func (a *awsCLI) arguments(in map[string]any) ([]string, error) {
	var args []string
	for name, value := range in {
		option := "--" + dashed(name)
		switch value := value.(type) {
		case string:
			args = append(args, option, value)
		case []byte:
			path := filepath.Join(a.dir, name)
			if err := os.WriteFile(path, value, 0o600); err != nil {
				return nil, err
			}
			args = append(args, option, "fileb://"+path)
		case bool:
			if !value {
				option = "--no-" + dashed(name)
			}
			args = append(args, option)
		default:
			text, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			args = append(args, option, strings.Trim(string(text), `"`)) // times are strings
		}
	}
	return args, nil
}

var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// dashed makes KeyId key-id.
func dashed(name string) string {
	return strings.ToLower(humps.ReplaceAllString(name, "$1-$2"))
}
