// Package config owns a node's configuration: its shape, where it is read from
// (a TOML file, then environment variables over it), and what makes it valid.
//
// It never opens a port, a partition or a data directory, and changes nothing.
// It is safe because a setting that nobody knows is an error, all errors are
// reported at once, and secrets are read from files or the environment into a
// type that does not print them.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// Config is the whole configuration of one node. The names of the settings are
// the TOML keys; docs/configuration.md explains each for operators.
type Config struct {
	// Name is the node's name in the cluster: 1 to 63 of a-z, 0-9 and hyphen. It
	// never changes.
	Name string `toml:"name"`
	// DataDir holds everything the node keeps: state, ledger, Raft log,
	// certificates. One process at a time uses it.
	DataDir string `toml:"data_dir"`
	// Regions are the region names that the cluster answers for, the first being
	// the default. They must be the same on all nodes.
	Regions []string `toml:"regions"`

	API     API     `toml:"api"`
	Cluster Cluster `toml:"cluster"`
	HSM     HSM     `toml:"hsm"`
	Admin   Admin   `toml:"admin"`
	Log     Log     `toml:"log"`
	Metrics Metrics `toml:"metrics"`
	Quotas  Quotas  `toml:"quotas"`

	Attestation Attestation `toml:"attestation"`
	XKS         XKS         `toml:"xks"`
	XKSServer   XKSServer   `toml:"xks_server"`
	// CloudHSM are the HSM clusters that custom key stores of type AWS_CLOUDHSM can be
	// in; the same on all nodes.
	CloudHSM []HSMCluster `toml:"cloudhsm"`
}

// HSMCluster is a token apart from the node's own partition.
type HSMCluster struct {
	// ID is what key stores name as CloudHsmClusterId.
	ID string `toml:"cluster_id"`
	// URI names the token (RFC 7512). Its PIN is the password of the key store.
	URI string `toml:"uri"`
	// TrustAnchor is a PEM file: the certificate that key stores have to show as
	// TrustAnchorCertificate.
	TrustAnchor string `toml:"trust_anchor"`
}

// XKSServer is the port at which AWS KMS uses keys that are held here.
type XKSServer struct {
	// Listen is the host:port to listen on; nothing listens where it is empty.
	Listen string `toml:"listen"`
	// CertFile and KeyFile are a PEM certificate chain and its key, of an authority
	// that AWS KMS trusts. Without them the port shows the API port's certificate.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	// Stores are the paths that are served.
	Stores []XKSStore `toml:"store"`
}

// XKSStore is a path of the port, and who AWS KMS is there.
type XKSStore struct {
	// Account, Region and User say whose keys they are, and as which IAM user AWS KMS
	// uses them.
	Account string `toml:"account"`
	Region  string `toml:"region"`
	User    string `toml:"user"`
	// AWSRegions are those from which AWS KMS may call.
	AWSRegions []string `toml:"aws_regions"`
	// Credentials are one or two files in the form that the console of AWS KMS takes:
	// JSON with XksProxyUriPath and XksProxyAuthenticationCredential.
	Credentials []string `toml:"credentials"`
}

// XKS says which external key store proxies the node may call. Without any it opens
// no connection to one.
type XKS struct {
	// Timeout bounds each call to a proxy, connecting included.
	Timeout Duration `toml:"timeout"`
	// Proxies are those that may be called; the same on all nodes.
	Proxies []XKSProxy `toml:"proxy"`
}

// XKSProxy is an external key store proxy.
type XKSProxy struct {
	// Endpoint is what key stores name as XksProxyUriEndpoint: https:// and a name.
	Endpoint string `toml:"endpoint"`
	// VPCEndpointService is the name by which key stores with the connectivity
	// VPC_ENDPOINT_SERVICE name the proxy; without it, it is a public endpoint.
	VPCEndpointService string `toml:"vpc_endpoint_service"`
	// Address is the host:port to connect to; port 443 of Endpoint where it is empty.
	Address string `toml:"address"`
	// CAFile is a PEM file of the authorities that certify the proxy; the system's
	// where it is empty.
	CAFile string `toml:"ca_file"`
	// CertFile and KeyFile are what the node shows to a proxy that asks for a
	// certificate. Both or neither.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
}

// Attestation says whose attestation documents are trusted.
type Attestation struct {
	// Roots is a PEM file of root certificates; where it is empty no document is
	// trusted, and requests with one are refused.
	Roots string `toml:"roots"`
}

// API is the HTTPS port that clients use.
type API struct {
	// Listen is the host:port to listen on; loopback unless set otherwise.
	Listen string `toml:"listen"`
	// Hosts are the names and addresses for which the cluster's CA certifies the
	// port. Not used with CertFile.
	Hosts []string `toml:"hosts"`
	// CertFile and KeyFile are a PEM certificate chain and its key, for a
	// certificate of another CA. Both or neither.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	// RequestTimeout is how long a request may take before the client is told to
	// try again: when there is no quorum, or a partition hangs.
	RequestTimeout Duration `toml:"request_timeout"`
	// MaxInFlight bounds the requests that are worked on at once; what is beyond
	// is throttled.
	MaxInFlight int `toml:"max_in_flight"`
}

// Cluster is the port that nodes use among themselves (Raft and node calls, one
// mutually authenticated TLS port).
type Cluster struct {
	// Listen is the host:port to listen on; loopback unless set otherwise.
	Listen string `toml:"listen"`
	// Advertise is the host:port at which the other nodes reach Listen; Listen
	// itself where empty.
	Advertise string `toml:"advertise"`
	// LogStore is where the Raft log is kept: "boltdb" or "wal".
	LogStore string `toml:"log_store"`
}

// HSM is the node's partition.
type HSM struct {
	// Kind is "soft" (embedded, no HSM at all) or "pkcs11".
	Kind string `toml:"kind"`
	// Path is the partition file of a soft partition.
	Path string `toml:"path"`
	// URI names the token of a pkcs11 partition (RFC 7512). It holds no PIN.
	URI string `toml:"uri"`
	// SoftwareAssisted are the key specs that a pkcs11 partition serves in the
	// node's memory where its token cannot: names of key specs, or "all" alone.
	SoftwareAssisted []string `toml:"software_assisted"`
	// PINFile is a file that holds the PIN: of the token, or of the soft
	// partition's file. One trailing newline is dropped.
	PINFile string `toml:"pin_file"`
	// PIN is what PINFile, COFRE_HSM_PIN_FILE or COFRE_HSM_PIN gave. The file
	// itself has no setting for it.
	PIN Secret `toml:"-"`
}

// AllSpecs stands for every key spec in SoftwareAssisted.
const AllSpecs = "all"

// Assisted answers SoftwareAssisted as key specs.
func (h HSM) Assisted() []hsm.KeySpec {
	if slices.Equal(h.SoftwareAssisted, []string{AllSpecs}) {
		return algorithm.Specs()
	}
	specs := make([]hsm.KeySpec, len(h.SoftwareAssisted))
	for i, name := range h.SoftwareAssisted {
		specs[i] = hsm.KeySpec(name)
	}
	return specs
}

// Admin is the operator's door on the node's own host.
type Admin struct {
	// Socket is the path of the Unix socket that `cofre status` and the other
	// operator commands talk to. It has mode 0600.
	Socket string `toml:"socket"`
}

// Log is the node's log, on standard error.
type Log struct {
	// Level is trace, debug, info, warn or error.
	Level string `toml:"level"`
	// Format is "text" or "json".
	Format string `toml:"format"`
}

// Metrics is the port for figures and health, plain HTTP.
type Metrics struct {
	// Listen is the host:port to listen on; nothing listens where it is empty.
	Listen string `toml:"listen"`
}

// Values of settings that are chosen from a list.
const (
	HSMSoft   = "soft"
	HSMPKCS11 = "pkcs11"

	LogStoreBoltDB = "boltdb"
	LogStoreWAL    = "wal"
)

// defaults is the configuration before the file is read.
func defaults() *Config {
	return &Config{
		API: API{
			Listen: "127.0.0.1:7600", Hosts: []string{"localhost", "127.0.0.1"},
			RequestTimeout: Duration(5 * time.Second), MaxInFlight: 1024,
		},
		Cluster: Cluster{Listen: "127.0.0.1:7700", LogStore: LogStoreBoltDB},
		HSM:     HSM{Kind: HSMSoft},
		Log:     Log{Level: "info", Format: "text"},
		XKS:     XKS{Timeout: Duration(250 * time.Millisecond)}, // the XKS proxy API's
		Quotas:  Quotas{Requests: RequestsOff, Keys: 100_000},   // AWS's resource quota
	}
}

// Load reads the file at path, applies the environment (os.LookupEnv) over it,
// reads the secrets and validates. The error names everything that is wrong.
func Load(path string, lookup func(string) (string, bool)) (*Config, error) {
	c := defaults()
	meta, err := toml.DecodeFile(path, c)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration file %s: %w", path, err)
	}
	err = errors.Join(
		unknown(meta),
		c.override(lookup),
		c.readSecrets(lookup),
	)
	c.derive()
	if err := errors.Join(err, c.validate()); err != nil {
		return nil, fmt.Errorf("configuration file %s:\n%w", path, err)
	}
	return c, nil
}

// unknown reports the keys of the file that name no setting.
func unknown(meta toml.MetaData) error {
	var errs []error
	for _, key := range meta.Undecoded() {
		errs = append(errs, fmt.Errorf("%s: unknown setting", strings.Join(key, ".")))
	}
	return errors.Join(errs...)
}

// derive fills settings that follow from others.
func (c *Config) derive() {
	if c.Cluster.Advertise == "" {
		c.Cluster.Advertise = c.Cluster.Listen
	}
	if c.DataDir == "" {
		return
	}
	if c.Admin.Socket == "" {
		c.Admin.Socket = c.DataDir + "/admin.sock"
	}
	if c.HSM.Kind == HSMSoft && c.HSM.Path == "" {
		c.HSM.Path = c.DataDir + "/partition"
	}
}
