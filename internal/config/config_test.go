package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

const valid = `
name = "node1"
data_dir = "/var/lib/cofre"
regions = ["us-east-1"]
`

func load(t *testing.T, text string, env map[string]string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cofre.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
}

func TestLoadDefaults(t *testing.T) {
	c, err := load(t, valid, map[string]string{"COFRE_HSM_PIN": "1234"})
	if err != nil {
		t.Fatal(err)
	}
	if c.API.Listen != "127.0.0.1:7600" || c.Cluster.Advertise != "127.0.0.1:7700" {
		t.Errorf("listens beyond loopback by default: %+v %+v", c.API, c.Cluster)
	}
	if c.Admin.Socket != "/var/lib/cofre/admin.sock" || c.HSM.Path != "/var/lib/cofre/partition" {
		t.Errorf("derived paths: %q, %q", c.Admin.Socket, c.HSM.Path)
	}
	if c.Metrics.Listen != "" {
		t.Errorf("metrics listen at %q without being told", c.Metrics.Listen)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	c, err := load(t, valid, map[string]string{
		"COFRE_HSM_PIN":    "1234",
		"COFRE_NAME":       "node9",
		"COFRE_API_LISTEN": "127.0.0.2:1",
		"COFRE_API_HOSTS":  "a.example,b.example",
		"COFRE_ENDPOINTS":  "belongs to clients and is ignored",

		"COFRE_API_REQUEST_TIMEOUT": "1m",
		"COFRE_API_MAX_IN_FLIGHT":   "7",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "node9" || c.API.Listen != "127.0.0.2:1" || strings.Join(c.API.Hosts, " ") != "a.example b.example" {
		t.Errorf("not overridden: %+v", c)
	}
	if time.Duration(c.API.RequestTimeout) != time.Minute || c.API.MaxInFlight != 7 {
		t.Errorf("not overridden: %+v", c.API)
	}
}

func TestMistakesInTheEnvironment(t *testing.T) {
	_, err := load(t, valid, map[string]string{
		"COFRE_HSM_PIN": "1234", "COFRE_API_REQUEST_TIMEOUT": "soon", "COFRE_API_MAX_IN_FLIGHT": "many",
	})
	for _, want := range []string{`COFRE_API_REQUEST_TIMEOUT: "soon" is no duration`, `COFRE_API_MAX_IN_FLIGHT: "many" is no whole number`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestRequestRates(t *testing.T) {
	for _, test := range []struct {
		text string
		want map[string]float64 // 0: no quota
	}{
		{"", map[string]float64{"CreateKey": 0, "symmetric": 0}},
		{`requests = "aws"`, map[string]float64{"CreateKey": 5, "symmetric": 5500, "GetParametersForImport": 0.25, "GenerateDataKeyPair_RSA_4096": 0.1}},
		{`rates = ["CreateKey=0.5"]`, map[string]float64{"CreateKey": 0.5, "symmetric": 0}},
		{"requests = \"aws\"\nrates = [\"CreateKey=0\", \"symmetric=1e4\"]", map[string]float64{"CreateKey": 0, "symmetric": 10000, "rsa": 500}},
	} {
		c, err := load(t, valid+"[quotas]\n"+test.text, map[string]string{"COFRE_HSM_PIN": "1"})
		if err != nil {
			t.Fatal(err)
		}
		rates := c.Quotas.RequestRates()
		for name, want := range test.want {
			if got, there := rates[name]; got != want || there != (want != 0) {
				t.Errorf("%s: %s has %v, want %v", test.text, name, got, want)
			}
		}
	}
	c, err := load(t, valid, map[string]string{"COFRE_HSM_PIN": "1", "COFRE_QUOTAS_RATES": "rsa=7,ecc=8", "COFRE_QUOTAS_KEYS": "9"})
	if err != nil || c.Quotas.RequestRates()["ecc"] != 8 || len(c.Quotas.RequestRates()) != 2 || c.Quotas.Keys != 9 {
		t.Errorf("from the environment: %+v, %v", c, err)
	}
}

func TestPINFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text string
		env  map[string]string
	}{
		"setting":  {text: valid + "[hsm]\npin_file = " + fmt.Sprintf("%q", file)},
		"variable": {text: valid, env: map[string]string{"COFRE_HSM_PIN_FILE": file}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, test.text, test.env)
			if err != nil {
				t.Fatal(err)
			}
			if c.HSM.PIN.Reveal() != "from the file" {
				t.Errorf("PIN is %q", c.HSM.PIN.Reveal())
			}
		})
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	_, err := load(t, `
name = "Node 1"
data_dir = "relative"
regions = ["us-east-1", "us-east-1", "Moon"]
colour = "blue"
[api]
listen = "127.0.0.1"
cert_file = "/c"
request_timeout = "1h"
max_in_flight = 0
[cluster]
listen = "0.0.0.0:7700"
log_store = "tape"
lisen = "127.0.0.1:7700"
[hsm]
kind = "pkcs11"
uri = "pkcs11:token=x?pin-value=1234"
path = "/p"
pin = "1234"
software_assisted = ["ML_DSA_45", "SM2", "SM2", "all"]
pin_file = "/nonexistent/pin"
[log]
level = "loud"
format = "xml"
[metrics]
listen = "127.0.0.1:0"
[quotas]
requests = "some"
keys = 0
rates = ["CreateKey=x", "Encrypt=5", "symmetric=-1", "rsa=NaN", "ecc=+Inf", "CreateGrant"]
[attestation]
roots = "root.pem"
`, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"colour: unknown setting", "cluster.lisen: unknown setting", "hsm.pin: unknown setting",
		`name: "Node 1"`, "data_dir:", `"us-east-1" is there twice`, `"Moon" is no region name`,
		"api.cert_file and api.key_file", "api.listen:", "api.request_timeout: 1h0m0s", "api.max_in_flight: 0", "cluster.advertise:", "cluster.log_store:",
		"hsm.uri: pin-value", "hsm.path:", "hsm.pin_file:", "hsm: no PIN",
		`hsm.software_assisted: "ML_DSA_45" is no key spec`, `hsm.software_assisted: "SM2" is there twice`, `hsm.software_assisted: "all" stands alone`,
		"log.level:", "log.format:", "metrics.listen:", "quotas.requests:", "quotas.keys: 0", "attestation.roots:",
		`quotas.rates: "CreateKey=x" is not`, `quotas.rates: "Encrypt=5" names no`, `"symmetric=-1"`, `"rsa=NaN"`, `"ecc=+Inf"`, `"CreateGrant" is not`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q", want)
		}
	}
	if strings.Contains(err.Error(), "1234") {
		t.Errorf("the error holds the PIN: %v", err)
	}
}

func TestLoadRefusesWhatIsNoTOML(t *testing.T) {
	if _, err := load(t, "name = ", nil); err == nil {
		t.Error("accepted")
	}
	if _, err := Load("/nonexistent/cofre.toml", os.LookupEnv); err == nil {
		t.Error("accepted a missing file")
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	s := NewSecret("hunter2")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{s, &s, HSM{PIN: s}, []Secret{s}} {
			if out := fmt.Sprintf(verb, value); strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") {
				t.Errorf("%s prints %s", verb, out)
			}
		}
	}
	if b, err := json.Marshal(HSM{PIN: s}); err == nil {
		t.Errorf("became JSON: %s", b)
	}
	if s.Reveal() != "hunter2" || s.Empty() {
		t.Error("the secret is lost")
	}
}

func TestSoftwareAssisted(t *testing.T) {
	const token = valid + "[hsm]\nkind = \"pkcs11\"\nuri = \"pkcs11:token=x?module-path=/m\"\n"
	for text, want := range map[string][]hsm.KeySpec{
		token: nil,
		token + `software_assisted = ["ML_DSA_44", "SM2"]`: {hsm.MLDSA44, hsm.SM2},
		token + `software_assisted = ["all"]`:              algorithm.Specs(),
	} {
		c, err := load(t, text, map[string]string{"COFRE_HSM_PIN": "1234"})
		if err != nil {
			t.Error(err)
		} else if got := c.HSM.Assisted(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	_, err := load(t, valid+"[hsm]\nsoftware_assisted = [\"all\"]", map[string]string{"COFRE_HSM_PIN": "1234"})
	if err == nil || !strings.Contains(err.Error(), "hsm.software_assisted: only for") {
		t.Errorf("a soft partition: %v", err)
	}
}

// TestKeyStoreSettings tries what is wrong with the settings about external key stores.
func TestKeyStoreSettings(t *testing.T) {
	const proxy, store = "[[xks.proxy]]\nendpoint = \"https://a.example.com\"\n", "[xks_server]\nlisten = \"127.0.0.1:1\"\n[[xks_server.store]]\n"
	for text, want := range map[string]string{
		"[xks]\ntimeout = \"1ms\"":                      "xks.timeout",
		"[[xks.proxy]]\nendpoint = \"http://a\"":        "xks.proxy 1: endpoint",
		"[[xks.proxy]]\nendpoint = \"https://a.b:443\"": "xks.proxy 1: endpoint",
		proxy + proxy:                                    "xks.proxy 2: https://a.example.com is there twice",
		proxy + "cert_file = \"/c\"":                     "cert_file and key_file: set both or neither",
		proxy + "address = \"a\"":                        "xks.proxy 1: address",
		proxy + "ca_file = \"c\"":                        "xks.proxy 1: ca_file",
		"[xks_server]\nlisten = \"127.0.0.1:1\"":         "xks_server.listen and xks_server.store",
		"[xks_server]\nkey_file = \"/k\"":                "xks_server.cert_file and xks_server.key_file",
		"[[cloudhsm]]\ncluster_id = \"c\"":               "cloudhsm 1: cluster_id",
		"[[cloudhsm]]\nuri = \"file:x\"":                 "cloudhsm 1: ",
		"[[cloudhsm]]\ntrust_anchor = \"x\"":             "cloudhsm 1: trust_anchor",
		store + "account = \"1\"":                        "xks_server.store 1: account",
		store + "region = \"mars\"":                      "xks_server.store 1: region",
		store:                                            "xks_server.store 1: user",
		store + "user = \"u\"":                           "xks_server.store 1: aws_regions",
		store + "credentials = [\"/a\", \"/b\", \"/c\"]": "xks_server.store 1: credentials: one file",
		store + "credentials = [\"a\"]":                  "xks_server.store 1: credentials: ",
	} {
		_, err := load(t, valid+text, map[string]string{"COFRE_HSM_PIN": "1234"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	c, err := load(t, valid+proxy, map[string]string{"COFRE_HSM_PIN": "1234"})
	if err != nil || len(c.XKS.Proxies) != 1 || c.XKS.Timeout != Duration(250*time.Millisecond) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDocumentedExamples parses every TOML example of the documentation, so that
// none describes a setting that does not exist.
func TestDocumentedExamples(t *testing.T) {
	root := filepath.Join("..", "..")
	examples := map[string]string{"deploy/cofre.toml": read(t, filepath.Join(root, "deploy", "cofre.toml"))}
	block := regexp.MustCompile("(?s)```toml\n(.*?)```")
	for _, dir := range []string{".", "docs"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for i, m := range block.FindAllStringSubmatch(read(t, file), -1) {
				examples[fmt.Sprintf("%s %d", filepath.Base(file), i+1)] = m[1]
			}
		}
	}
	if len(examples) < 3 {
		t.Fatalf("found only %d examples", len(examples))
	}
	for name, text := range examples {
		t.Run(name, func(t *testing.T) {
			if _, err := load(t, text, map[string]string{"COFRE_HSM_PIN": "1234", "COFRE_HSM_PIN_FILE": ""}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEverySettingIsDocumented holds docs/configuration.md against Config.
func TestEverySettingIsDocumented(t *testing.T) {
	doc := read(t, filepath.Join("..", "..", "docs", "configuration.md"))
	for _, key := range settings() {
		if !strings.Contains(doc, "`"+key+"`") {
			t.Errorf("docs/configuration.md does not explain %s", key)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settings lists the keys of all settings, as in "api.listen".
func settings() []string {
	var keys []string
	_ = new(Config).override(func(name string) (string, bool) {
		keys = append(keys, name)
		return "", false
	})
	for i, key := range keys {
		key = strings.ToLower(strings.TrimPrefix(key, "COFRE_"))
		for _, section := range []string{"api", "cluster", "hsm", "admin", "log", "metrics", "quotas", "attestation", "xks_server", "xks"} {
			if rest, ok := strings.CutPrefix(key, section+"_"); ok {
				key = section + "." + rest
				break
			}
		}
		keys[i] = key
	}
	return keys
}
