package clients

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/rig"
)

// call is one call of an operation. It is a line of JSON where the driver is
// another process; there bytes are {"$bytes": base64} and times {"$time": seconds}.
type call struct {
	Endpoint        string         `json:"endpoint"`
	Region          string         `json:"region"`
	AccessKeyID     string         `json:"accessKeyId"`
	SecretAccessKey string         `json:"secretAccessKey"`
	Op              string         `json:"op"`
	In              map[string]any `json:"in"`
	// Model asks which members the client knows in the operation's answer; the
	// operation is not called.
	Model bool `json:"model,omitempty"`
}

// answer is what a client saw.
type answer struct {
	RequestID string         `json:"requestId"` // "" where the client does not tell
	Status    int            `json:"status"`
	Out       map[string]any `json:"out"` // bytes in base64, times as numbers or RFC 3339
	Error     string         `json:"error"`
	Message   string         `json:"message"`
	// Unknown says what the client's release does not know of the call: it is older
	// than the operation or the member. Nothing was sent.
	Unknown string `json:"unknown"`
	// Members answers a call's Model; null means that all are known.
	Members []string `json:"members"`
}

// driver makes calls with one client.
type driver interface {
	do(c call) (answer, error)
}

// process is a driver that runs beside the test and is asked on its standard
// input.
type process struct {
	in  io.Writer
	out *bufio.Scanner
}

// startProcess runs a driver until the test ends.
func startProcess(t *testing.T, c *rig.Cluster, name string, args ...string) driver {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = c.Environment()
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &process{in, lines}
}

func (p *process) do(c call) (answer, error) {
	c.In, _ = tagged(c.In).(map[string]any)
	line, err := json.Marshal(c)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{}, err
	}
	if !p.out.Scan() {
		return answer{}, fmt.Errorf("the driver ended: %v", p.out.Err())
	}
	var a answer
	err = json.Unmarshal(p.out.Bytes(), &a)
	return a, err
}

// tagged marks bytes and times, which JSON does not have.
func tagged(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bytes": base64.StdEncoding.EncodeToString(v)}
	case time.Time:
		return map[string]any{"$time": v.Unix()}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = tagged(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = tagged(member)
		}
		return out
	}
	return v
}

// boto3 answers a driver that is testdata/boto3_driver.py.
func boto3(t *testing.T, c *rig.Cluster) driver {
	return startProcess(t, c, findPython(t), filepath.Join("testdata", "boto3_driver.py"))
}

// javaScript answers a driver that is js/driver.mjs.
func javaScript(t *testing.T, c *rig.Cluster) driver {
	needNode(t)
	return startProcess(t, c, "node", filepath.Join("js", "driver.mjs"))
}

// findPython answers a Python that has boto3.
func findPython(t *testing.T) string {
	t.Helper()
	candidates := []string{"python3", "/usr/bin/python3"}
	found := slices.IndexFunc(candidates, func(python string) bool {
		return exec.Command(python, "-c", "import boto3").Run() == nil
	})
	if found < 0 {
		absent(t, "boto3 is not installed")
	}
	return candidates[found]
}

// needNode skips the test where Node.js or the packages of js are missing.
func needNode(t *testing.T) {
	t.Helper()
	if exec.Command("node", "--version").Run() != nil {
		absent(t, "Node.js is not installed")
	}
	if _, err := os.Stat(filepath.Join("js", "node_modules", "@aws-sdk", "client-kms")); err != nil {
		absent(t, "the packages of test/clients/js are not installed: run scripts/test, or npm ci there")
	}
}

// absent skips the test, or fails it where COFRE_REQUIRE_AWS_CLIENTS=1.
func absent(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("COFRE_REQUIRE_AWS_CLIENTS") == "1" {
		t.Fatalf("%s, and COFRE_REQUIRE_AWS_CLIENTS=1", why)
	}
	t.Skip(why)
}
