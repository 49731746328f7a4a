package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/operator"
)

func accountCommand(std streams) *cobra.Command {
	return group("account", "Accounts",
		createAccountCommand(std), listAccountsCommand(std), describeAccountCommand(std),
		changeAccountCommand(std, "close", "Close an account: its principals do not authenticate and its keys serve nobody"),
		changeAccountCommand(std, "reopen", "Reopen a closed account, with all that it had"),
		deleteAccountCommand(), recoverAccountCommand(std))
}

func createAccountCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "create --name NAME", Short: "Make an account and print its administrator's credentials, this once"}
	name := required(cmd, "name", "the account's name: 1 to 50 printable ASCII characters")
	return withClient(cmd, func(ctx context.Context, client *admin.Client, out output) error {
		account, err := client.CreateAccount(ctx, *name)
		if err != nil {
			return err
		}
		return printCredentials(std, out, &account)
	})
}

func printCredentials(std streams, out output, c *operator.Credentials) error {
	return out.print(std.out, c, func() [][]string {
		return [][]string{
			{"account id", c.AccountID}, {"user", c.UserARN}, {"access key id", c.AccessKeyID}, {"secret access key", c.SecretAccessKey},
		}
	})
}

func listAccountsCommand(std streams) *cobra.Command {
	return withClient(&cobra.Command{Use: "list", Short: "List the accounts"}, func(ctx context.Context, client *admin.Client, out output) error {
		all := operator.Accounts{Accounts: []*operator.Account{}}
		query := url.Values{"maxResults": {"1000"}}
		for {
			var page operator.Accounts
			if err := client.Call(ctx, http.MethodGet, "/v1/accounts?"+query.Encode(), nil, &page); err != nil {
				return err
			}
			all.Accounts = append(all.Accounts, page.Accounts...)
			if page.NextToken == "" {
				return printAccounts(std, out, &all, all.Accounts)
			}
			query.Set("nextToken", page.NextToken)
		}
	})
}

func printAccounts(std streams, out output, answer any, accounts []*operator.Account) error {
	return out.print(std.out, answer, func() [][]string {
		rows := [][]string{{"ACCOUNT", "STATE", "CREATED", "ROLE", "NAME"}}
		for _, a := range accounts {
			role := "tenant"
			if a.Operator {
				role = "operator"
			}
			rows = append(rows, []string{a.AccountID, a.State, a.Created.Format(time.RFC3339), role, a.AccountName})
		}
		return rows
	})
}

// onAccount makes a command whose argument is an account.
func onAccount(cmd *cobra.Command, do func(ctx context.Context, client *admin.Client, path string, out output) error) *cobra.Command {
	var path string
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New("which account? Give its 12 digits")
		}
		path = "/v1/accounts/" + url.PathEscape(args[0])
		return nil
	}
	return withClient(cmd, func(ctx context.Context, client *admin.Client, out output) error { return do(ctx, client, path, out) })
}

func describeAccountCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "describe ACCOUNT", Short: "Describe an account"}
	return onAccount(cmd, func(ctx context.Context, client *admin.Client, path string, out output) error {
		var account operator.Account
		if err := client.Call(ctx, http.MethodGet, path, nil, &account); err != nil {
			return err
		}
		return printAccounts(std, out, &account, []*operator.Account{&account})
	})
}

func changeAccountCommand(std streams, verb, short string) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " ACCOUNT", Short: short}
	return onAccount(cmd, func(ctx context.Context, client *admin.Client, path string, out output) error {
		var account operator.Account
		if err := client.Call(ctx, http.MethodPost, path+"/"+verb, nil, &account); err != nil {
			return err
		}
		return printAccounts(std, out, &account, []*operator.Account{&account})
	})
}

func deleteAccountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "delete ACCOUNT", Short: "Delete a closed account that has no keys any more, for good"}
	return onAccount(cmd, func(ctx context.Context, client *admin.Client, path string, _ output) error {
		return client.Call(ctx, http.MethodDelete, path, nil, nil)
	})
}

func recoverAccountCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recover ACCOUNT --user-name NAME",
		Short: "Make another administrator of an account and print the credentials, this once",
		Long: `Makes a user who may do everything in the account: for one that has lost its
administrator's credentials. With --config, on a node's host, it needs no credential,
so it recovers the operator account, too. It is recorded either way.`,
	}
	name := required(cmd, "user-name", "name of the user, which the account has none of yet")
	return onAccount(cmd, func(ctx context.Context, client *admin.Client, path string, out output) error {
		var made operator.Credentials
		request := map[string]string{"userName": *name}
		if err := client.Call(ctx, http.MethodPost, path+"/administrators", request, &made); err != nil {
			return err
		}
		return printCredentials(std, out, &made)
	})
}

// required adds a flag that has to be given.
func required(cmd *cobra.Command, name, usage string) *string {
	value := cmd.Flags().String(name, "", usage)
	if err := cmd.MarkFlagRequired(name); err != nil {
		panic(err) // the flag is there: it was made above
	}
	return value
}
