package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/admin"
)

// withClient makes a command that asks the running node through its socket.
func withClient(cmd *cobra.Command, do func(ctx context.Context, client *admin.Client) error) *cobra.Command {
	return withConfig(cmd, os.LookupEnv, func(ctx context.Context, cfg *config.Config) error {
		client := admin.NewClient(cfg.Admin.Socket, userAgent())
		defer client.Close()
		return do(ctx, client)
	})
}

func tokenCommand(std streams) *cobra.Command {
	create := &cobra.Command{Use: "create --config FILE [--hours N]", Short: "Print a one-time join token"}
	hours := create.Flags().Int("hours", 24, "how long the token is valid")
	withClient(create, func(ctx context.Context, client *admin.Client) error {
		token, err := client.CreateToken(ctx, *hours)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(std.out, token.Token)
		return err
	})
	return group("token", "Join tokens", create)
}

func memberCommand() *cobra.Command {
	remove := &cobra.Command{
		Use:   "remove --config FILE --name NAME",
		Short: "Take a node out of the cluster for good; another may then join under its name",
	}
	name := remove.Flags().String("name", "", "the member's name")
	if err := remove.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is there: it was made above
	}
	withClient(remove, func(ctx context.Context, client *admin.Client) error {
		return client.RemoveMember(ctx, *name)
	})
	return group("member", "Members of the cluster", remove)
}

func accountCommand(std streams) *cobra.Command {
	create := &cobra.Command{
		Use:   "create --config FILE --name NAME [--json]",
		Short: "Make an account and print its administrator's credentials, this once",
	}
	name := create.Flags().String("name", "", "the account's name: 1 to 50 printable ASCII characters")
	asJSON := create.Flags().Bool("json", false, "print JSON")
	if err := create.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is there: it was made above
	}
	withClient(create, func(ctx context.Context, client *admin.Client) error {
		account, err := client.CreateAccount(ctx, *name)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(std.out, account)
		}
		return printAccount(std.out, account)
	})
	return group("account", "Accounts", create)
}

func printAccount(w io.Writer, a admin.Account) error {
	_, err := fmt.Fprintf(w, "account id         %s\nuser               %s\naccess key id      %s\nsecret access key  %s\n",
		a.AccountID, a.UserARN, a.AccessKeyID, a.SecretAccessKey)
	return err
}

// group is a command that only holds others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: which command? See cofre %s --help", cmd.CommandPath(), name)
	}}
	g.AddCommand(commands...)
	return g
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
