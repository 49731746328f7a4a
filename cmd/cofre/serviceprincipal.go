package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/operator"
)

// servicePrincipalCommand manages the credentials of what plays the part of an
// AWS service: a storage server, a database, a volume manager.
func servicePrincipalCommand(std streams) *cobra.Command {
	return group("service-principal", "Credentials of storage servers, databases and volume managers",
		createServicePrincipalCommand(std), listServicePrincipalsCommand(std), deleteServicePrincipalCommand())
}

const servicePrincipals = "/v1/service-principals"

func createServicePrincipalCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "create --service NAME", Short: "Make a credential of a service and print it, this once"}
	service := required(cmd, "service", "the service whose part it plays: s3.amazonaws.com, rds.amazonaws.com, ec2.amazonaws.com …")
	description := cmd.Flags().String("description", "", "what it is for")
	return withClient(cmd, func(ctx context.Context, client *admin.Client, out output) error {
		var made operator.ServicePrincipal
		request := map[string]string{"service": *service, "description": *description}
		if err := client.Call(ctx, http.MethodPost, servicePrincipals, request, &made); err != nil {
			return err
		}
		return out.print(std.out, &made, func() [][]string {
			return [][]string{{"service", made.Service}, {"access key id", made.AccessKeyID}, {"secret access key", made.SecretAccessKey}}
		})
	})
}

func listServicePrincipalsCommand(std streams) *cobra.Command {
	return withClient(&cobra.Command{Use: "list", Short: "List the credentials of services"}, func(ctx context.Context, client *admin.Client, out output) error {
		var list operator.ServicePrincipals
		if err := client.Call(ctx, http.MethodGet, servicePrincipals, nil, &list); err != nil {
			return err
		}
		return out.print(std.out, &list, func() [][]string {
			rows := [][]string{{"SERVICE", "ACCESS KEY ID", "CREATED", "DESCRIPTION"}}
			for _, p := range list.ServicePrincipals {
				rows = append(rows, []string{p.Service, p.AccessKeyID, p.Created.Format(time.RFC3339), p.Description})
			}
			return rows
		})
	})
}

func deleteServicePrincipalCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete --access-key-id ID", Short: "Delete a service's credential; it stops working everywhere at once"}
	id := required(cmd, "access-key-id", "the credential's access key id")
	return withClient(cmd, func(ctx context.Context, client *admin.Client, _ output) error {
		return client.Call(ctx, http.MethodDelete, servicePrincipals+"/"+url.PathEscape(*id), nil, nil)
	})
}
