package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is the form in which a command prints what it was told.
type output struct {
	form string // table or json
	json bool   // the short way to say json
}

func (o *output) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.form, "output", "table", "table or json")
	cmd.Flags().BoolVar(&o.json, "json", false, "the same as --output json")
	forms := cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", forms); err != nil {
		panic(err) // the flag is there: it was made above
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.form != "table" && o.form != "json" {
			return fmt.Errorf("--output is table or json, not %q", o.form)
		}
		return nil
	}
}

// print writes an answer as JSON, or as a table's rows, the first of which is the
// head.
func (o output) print(w io.Writer, answer any, rows func() [][]string) error {
	if o.json || o.form == "json" {
		return printJSON(w, answer)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows() {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
