package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Quotas bound what one account can have and ask for.
type Quotas struct {
	// Requests is where the request-rate quotas come from: "off" for none, "aws" for
	// those that AWS documents. Each node counts what it is asked itself.
	Requests string `toml:"requests"`
	// Rates change single quotas: "GROUP=N" for N requests a second, 0 for no quota.
	Rates []string `toml:"rates"`
	// Keys is how many KMS keys an account can have in a Region. It must be the same
	// on all nodes.
	Keys int `toml:"keys"`
}

// Values of quotas.requests.
const (
	RequestsOff = "off"
	RequestsAWS = "aws"
)

// group is what shares a request-rate quota, and its requests per second.
type group struct {
	name string
	rate float64
}

// groups are AWS's ("Request quotas" in the KMS developer guide): cryptographic
// operations share one by the kind of the key, everything else has one of its
// own. Where Regions differ the rate is the lowest. AWS documents none for the
// ML-DSA and ML-KEM keys, nor for data key pairs of Ed25519, SM2 and ML-KEM: they have
// those of elliptic curves.
func groups() []group {
	list := []group{
		{"symmetric", 5500}, {"rsa", 500}, {"ecc", 300}, {"sm2", 300}, {"ml_dsa", 300}, {"ml_kem", 300},
		{"GetParametersForImport", 0.25},
		{"GenerateDataKeyPair_ECC_NIST_P256", 25}, {"GenerateDataKeyPair_ECC_NIST_P384", 10},
		{"GenerateDataKeyPair_ECC_NIST_P521", 5}, {"GenerateDataKeyPair_ECC_SECG_P256K1", 25},
		{"GenerateDataKeyPair_ECC_NIST_EDWARDS25519", 25}, {"GenerateDataKeyPair_SM2", 25},
		{"GenerateDataKeyPair_ML_KEM_512", 25}, {"GenerateDataKeyPair_ML_KEM_768", 25}, {"GenerateDataKeyPair_ML_KEM_1024", 25},
		{"GenerateDataKeyPair_RSA_2048", 1}, {"GenerateDataKeyPair_RSA_3072", 0.5}, {"GenerateDataKeyPair_RSA_4096", 0.1},
	}
	for _, row := range []struct {
		rate       float64
		operations string
	}{
		{2000, "DescribeKey GetPublicKey ListResourceTags"},
		{1000, "GetKeyPolicy GetKeyRotationStatus GetKeyLastUsage"},
		{500, "ListAliases ListKeys"},
		{100, "ListGrants ListKeyPolicies ListKeyRotations ListRetirableGrants"},
		{50, "CreateGrant"},
		{30, "RetireGrant RevokeGrant"},
		{15, "DeleteAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion"},
		{10, "TagResource"},
		{5, "CancelKeyDeletion ConnectCustomKeyStore CreateAlias CreateCustomKeyStore CreateKey DeleteCustomKeyStore " +
			"DeleteImportedKeyMaterial DescribeCustomKeyStores DisableKey DisableKeyRotation DisconnectCustomKeyStore EnableKey " +
			"ImportKeyMaterial ReplicateKey RotateKeyOnDemand UntagResource UpdateAlias UpdateCustomKeyStore " +
			"UpdateKeyDescription UpdatePrimaryRegion"},
	} {
		for _, operation := range strings.Fields(row.operations) {
			list = append(list, group{operation, row.rate})
		}
	}
	return list
}

// RequestRates answers the request-rate quotas in force, in requests per second
// by group; a group that is not there has none. The configuration is valid.
func (q Quotas) RequestRates() map[string]float64 {
	rates := make(map[string]float64)
	if q.Requests == RequestsAWS {
		for _, g := range groups() {
			rates[g.name] = g.rate
		}
	}
	for _, text := range q.Rates {
		if g, err := parseRate(text); err == nil {
			rates[g.name] = g.rate
		}
	}
	for name, rate := range rates {
		if rate == 0 {
			delete(rates, name)
		}
	}
	return rates
}

// parseRate reads GROUP=N.
func parseRate(text string) (group, error) {
	name, number, _ := strings.Cut(text, "=")
	if !slices.ContainsFunc(groups(), func(g group) bool { return g.name == name }) {
		return group{}, fmt.Errorf("quotas.rates: %q names no operation that has a quota of its own, and no group of them", text)
	}
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || !(rate >= 0) || math.IsInf(rate, 0) {
		return group{}, fmt.Errorf("quotas.rates: %q is not NAME=N with a number of requests per second", text)
	}
	return group{name, rate}, nil
}

func (q Quotas) validate() error {
	errs := []error{
		oneOf("quotas.requests", q.Requests, RequestsOff, RequestsAWS),
		between("quotas.keys", q.Keys, 1, 10_000_000),
	}
	for _, text := range q.Rates {
		_, err := parseRate(text)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
