package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/admin"
)

// door is how a command reaches a node: through the socket on its host, whose
// place the node's configuration says, or through its API port, with an AWS
// credential of the operator account.
type door struct {
	config   string // file; a socket where it is set
	endpoint string // URL
	region   string
	profile  string
	caFile   string
	output   output
}

// withClient makes a command that asks a running node.
func withClient(cmd *cobra.Command, do func(ctx context.Context, client *admin.Client, out output) error) *cobra.Command {
	d := new(door)
	flags := cmd.Flags()
	flags.StringVar(&d.config, "config", "", "configuration file of the node on this host, whose admin socket is asked")
	flags.StringVar(&d.endpoint, "endpoint", os.Getenv("COFRE_ENDPOINT"), "URL of a node's API port, such as https://kms.example.com:8443 (COFRE_ENDPOINT)")
	flags.StringVar(&d.region, "region", "", "region of the credential scope (AWS_REGION)")
	flags.StringVar(&d.profile, "profile", "", "profile of the AWS configuration that has the credentials (AWS_PROFILE)")
	flags.StringVar(&d.caFile, "ca-file", os.Getenv("AWS_CA_BUNDLE"), "PEM file of the CA that the node's certificate is of (AWS_CA_BUNDLE)")
	d.output.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("config", "endpoint")
	if cmd.Args == nil {
		cmd.Args = cobra.NoArgs
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := d.open(cmd.Context())
		if err != nil {
			return err
		}
		defer client.Close()
		if err := do(cmd.Context(), client, d.output); err != nil {
			return failedError{err}
		}
		return nil
	}
	return cmd
}

var errNoDoor = errors.New("which node? Give --config on its host, or --endpoint (COFRE_ENDPOINT)")

func (d *door) open(ctx context.Context) (*admin.Client, error) {
	switch {
	case d.config != "":
		cfg, err := config.Load(d.config, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		return admin.NewClient(cfg.Admin.Socket, userAgent()), nil
	case d.endpoint != "":
		return d.remote(ctx)
	}
	return nil, errNoDoor
}

// remote finds credentials as AWS's own tools do, but for those of EC2 instances.
func (d *door) remote(ctx context.Context) (*admin.Client, error) {
	loaded, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(d.profile), awsconfig.WithRegion(d.region),
		awsconfig.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return nil, errors.New("which region? Give --region (AWS_REGION)")
	}
	roots, err := readRoots(d.caFile)
	if err != nil {
		return nil, err
	}
	return admin.NewRemote(admin.Remote{
		Endpoint: d.endpoint, Region: loaded.Region, Credentials: loaded.Credentials, Roots: roots, UserAgent: userAgent(),
	})
}

// readRoots reads CAs, nil where the system's are meant.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return roots, nil
}
