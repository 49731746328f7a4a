package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

var (
	nodeName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	regionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// validate reports everything that is wrong, in the order of the documentation.
func (c *Config) validate() error {
	return errors.Join(
		c.validateNode(),
		c.API.validate(),
		c.Cluster.validate(),
		c.HSM.validate(),
		absolute("admin.socket", c.Admin.Socket),
		socketLength(c.Admin.Socket),
		oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error"),
		oneOf("log.format", c.Log.Format, "text", "json"),
		optionalAddress("metrics.listen", c.Metrics.Listen),
		c.Quotas.validate(),
		optionalPath("attestation.roots", c.Attestation.Roots),
		c.XKS.validate(),
		c.validateXKSServer(),
		validateClusters(c.CloudHSM),
	)
}

// proxyEndpoint is the API's XksProxyUriEndpointType.
var proxyEndpoint = regexp.MustCompile(`^https://[a-zA-Z0-9.-]{2,120}$`)

func (x XKS) validate() error {
	errs := []error{between("xks.timeout", x.Timeout, Duration(10*time.Millisecond), Duration(10*time.Second))}
	for i, p := range x.Proxies {
		errs = append(errs, p.validate(fmt.Sprintf("xks.proxy %d", i+1)))
		if slices.ContainsFunc(x.Proxies[:i], func(o XKSProxy) bool {
			return strings.EqualFold(o.Endpoint, p.Endpoint) && o.VPCEndpointService == p.VPCEndpointService
		}) {
			errs = append(errs, fmt.Errorf("xks.proxy %d: %s is there twice", i+1, p.Endpoint))
		}
	}
	return errors.Join(errs...)
}

func (p XKSProxy) validate(name string) error {
	errs := []error{
		optionalAddress(name+": address", p.Address), optionalPath(name+": ca_file", p.CAFile),
		optionalPath(name+": cert_file", p.CertFile), optionalPath(name+": key_file", p.KeyFile),
	}
	if !proxyEndpoint.MatchString(p.Endpoint) {
		errs = append(errs, fmt.Errorf("%s: endpoint: %q is not https:// and a host name", name, p.Endpoint))
	}
	if (p.CertFile == "") != (p.KeyFile == "") {
		errs = append(errs, fmt.Errorf("%s: cert_file and key_file: set both or neither", name))
	}
	return errors.Join(errs...)
}

// clusterID is the API's CloudHsmClusterIdType.
var clusterID = regexp.MustCompile(`^cluster-[2-7a-zA-Z]{11,16}$`)

func validateClusters(clusters []HSMCluster) error {
	var errs []error
	for i, h := range clusters {
		name := fmt.Sprintf("cloudhsm %d", i+1)
		if !clusterID.MatchString(h.ID) {
			errs = append(errs, fmt.Errorf("%s: cluster_id: %q is not cluster- and 11 to 16 of 2-7, a-z and A-Z", name, h.ID))
		}
		if slices.ContainsFunc(clusters[:i], func(o HSMCluster) bool { return o.ID == h.ID }) {
			errs = append(errs, fmt.Errorf("%s: %s is there twice", name, h.ID))
		}
		if err := pkcs11URI(h.URI); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		errs = append(errs, absolute(name+": trust_anchor", h.TrustAnchor))
	}
	return errors.Join(errs...)
}

// accountID is 12 digits.
var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func (c *Config) validateXKSServer() error {
	x := c.XKSServer
	errs := []error{
		optionalAddress("xks_server.listen", x.Listen),
		optionalPath("xks_server.cert_file", x.CertFile), optionalPath("xks_server.key_file", x.KeyFile),
	}
	if (x.CertFile == "") != (x.KeyFile == "") {
		errs = append(errs, errors.New("xks_server.cert_file and xks_server.key_file: set both or neither"))
	}
	if (x.Listen == "") != (len(x.Stores) == 0) {
		errs = append(errs, errors.New("xks_server.listen and xks_server.store: set both or neither"))
	}
	for i, s := range x.Stores {
		errs = append(errs, s.validate(fmt.Sprintf("xks_server.store %d", i+1), c.Regions))
	}
	return errors.Join(errs...)
}

func (s XKSStore) validate(name string, regions []string) error {
	var errs []error
	if !accountID.MatchString(s.Account) {
		errs = append(errs, fmt.Errorf("%s: account: %q is not 12 digits", name, s.Account))
	}
	if !slices.Contains(regions, s.Region) {
		errs = append(errs, fmt.Errorf("%s: region: %q is not one of regions", name, s.Region))
	}
	if s.User == "" {
		errs = append(errs, fmt.Errorf("%s: user: the name of an IAM user is needed", name))
	}
	if len(s.AWSRegions) == 0 {
		errs = append(errs, fmt.Errorf("%s: aws_regions: at least one is needed", name))
	}
	if n := len(s.Credentials); n < 1 || n > 2 {
		errs = append(errs, fmt.Errorf("%s: credentials: one file is needed, or two while they are rotated", name))
	}
	for _, file := range s.Credentials {
		errs = append(errs, absolute(name+": credentials", file))
	}
	return errors.Join(errs...)
}

func (c *Config) validateNode() error {
	var errs []error
	if !nodeName.MatchString(c.Name) {
		errs = append(errs, fmt.Errorf("name: %q is not 1 to 63 of a-z, 0-9 and hyphen", c.Name))
	}
	errs = append(errs, absolute("data_dir", c.DataDir))
	if len(c.Regions) == 0 {
		errs = append(errs, errors.New("regions: at least one is needed"))
	}
	for i, region := range c.Regions {
		if !regionName.MatchString(region) {
			errs = append(errs, fmt.Errorf("regions: %q is no region name", region))
		}
		if slices.Contains(c.Regions[:i], region) {
			errs = append(errs, fmt.Errorf("regions: %q is there twice", region))
		}
	}
	return errors.Join(errs...)
}

func (a API) validate() error {
	var errs []error
	if (a.CertFile == "") != (a.KeyFile == "") {
		errs = append(errs, errors.New("api.cert_file and api.key_file: set both or neither"))
	}
	if a.CertFile == "" && (len(a.Hosts) == 0 || slices.Contains(a.Hosts, "")) {
		errs = append(errs, errors.New("api.hosts: names or addresses are needed for the certificate"))
	}
	return errors.Join(append(errs,
		address("api.listen", a.Listen),
		between("api.request_timeout", a.RequestTimeout, Duration(100*time.Millisecond), Duration(time.Minute)),
		between("api.max_in_flight", a.MaxInFlight, 1, 100_000),
	)...)
}

func (c Cluster) validate() error {
	return errors.Join(
		address("cluster.listen", c.Listen),
		address("cluster.advertise", c.Advertise),
		advertisable(c.Advertise),
		oneOf("cluster.log_store", c.LogStore, LogStoreBoltDB, LogStoreWAL),
	)
}

func (h HSM) validate() error {
	errs := []error{oneOf("hsm.kind", h.Kind, HSMSoft, HSMPKCS11)}
	switch h.Kind {
	case HSMSoft:
		errs = append(errs, absolute("hsm.path", h.Path))
		if h.URI != "" {
			errs = append(errs, errors.New("hsm.uri: only for hsm.kind pkcs11"))
		}
		if len(h.SoftwareAssisted) > 0 {
			errs = append(errs, errors.New("hsm.software_assisted: only for hsm.kind pkcs11"))
		}
	case HSMPKCS11:
		errs = append(errs, pkcs11URI(h.URI))
		if h.Path != "" {
			errs = append(errs, errors.New("hsm.path: only for hsm.kind soft"))
		}
		errs = append(errs, assistedSpecs(h.SoftwareAssisted))
	}
	if h.PIN.Empty() {
		errs = append(errs, errors.New("hsm: no PIN: set hsm.pin_file, COFRE_HSM_PIN_FILE or COFRE_HSM_PIN"))
	}
	return errors.Join(errs...)
}

// assistedSpecs wants key specs that there are, each once, or "all" alone.
func assistedSpecs(names []string) error {
	var errs []error
	for i, name := range names {
		switch {
		case name == AllSpecs && len(names) > 1:
			errs = append(errs, fmt.Errorf("hsm.software_assisted: %q stands alone", AllSpecs))
		case name != AllSpecs && !slices.Contains(algorithm.Specs(), hsm.KeySpec(name)):
			errs = append(errs, fmt.Errorf("hsm.software_assisted: %q is no key spec", name))
		case slices.Contains(names[:i], name):
			errs = append(errs, fmt.Errorf("hsm.software_assisted: %q is there twice", name))
		}
	}
	return errors.Join(errs...)
}

// pkcs11URI refuses a PIN in the URI (RFC 7512 §2.4 allows pin-value): it would
// stand in a file that is no secret.
func pkcs11URI(uri string) error {
	if !strings.HasPrefix(uri, "pkcs11:") {
		return errors.New("hsm.uri: a pkcs11: URI (RFC 7512) is needed")
	}
	if strings.Contains(uri, "pin-value=") {
		return errors.New("hsm.uri: pin-value is not accepted here; use hsm.pin_file")
	}
	return nil
}

func between[T cmp.Ordered](key string, value, least, most T) error {
	if least <= value && value <= most {
		return nil
	}
	return fmt.Errorf("%s: %v is not from %v to %v", key, value, least, most)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", key, value, strings.Join(allowed, ", "))
}

func absolute(key, path string) error {
	if filepath.IsAbs(path) {
		return nil
	}
	return fmt.Errorf("%s: %q is not an absolute path", key, path)
}

func optionalPath(key, path string) error {
	if path == "" {
		return nil
	}
	return absolute(key, path)
}

// maxSocketPath is what sun_path holds on Linux, without the final zero byte
// (unix(7)).
const maxSocketPath = 107

func socketLength(path string) error {
	if len(path) <= maxSocketPath {
		return nil
	}
	return fmt.Errorf("admin.socket: %d bytes, and a Unix socket's path has at most %d", len(path), maxSocketPath)
}

func address(key, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port", key, value)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%s: %q has no port from 1 to 65535", key, value)
	}
	return nil
}

func optionalAddress(key, value string) error {
	if value == "" {
		return nil
	}
	return address(key, value)
}

// advertisable refuses an address that others cannot reach.
func advertisable(value string) error {
	host, _, err := net.SplitHostPort(value)
	if err != nil {
		return nil // reported by address
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("cluster.advertise: %q is no address that other nodes can reach", value)
	}
	return nil
}
