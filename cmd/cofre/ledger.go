package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/admin"
)

func ledgerCommand(std streams) *cobra.Command {
	records := &cobra.Command{
		Use:   "records --config FILE [--from N] [--limit N]",
		Short: "Print audit records, one a line, exactly as they are hashed",
	}
	from := records.Flags().Int64("from", 0, "position of the first record")
	limit := records.Flags().Int64("limit", -1, "how many records; all where negative")
	withClient(records, func(ctx context.Context, client *admin.Client, _ output) error {
		return client.Records(ctx, std.out, *from, *limit)
	})
	head := &cobra.Command{Use: "head --config FILE", Short: "Print the ledger's size and root on this node, as JSON"}
	withClient(head, func(ctx context.Context, client *admin.Client, _ output) error {
		end, err := client.Head(ctx)
		if err != nil {
			return err
		}
		return printJSON(std.out, end)
	})
	return group("ledger", "The audit ledger", records, head, checkpointCommand(std), keysCommand(std), proofCommand(std), verifyCommand(std), epochCommand())
}

func checkpointCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "checkpoint --config FILE", Short: "Print the newest signed checkpoint of the ledger (C2SP tlog-checkpoint)"}
	return withText(cmd, std, (*admin.Client).Checkpoint)
}

func keysCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "keys --config FILE", Short: "Print the verifier keys of the nodes, by which checkpoints are verified, one a line"}
	return withText(cmd, std, (*admin.Client).VerifierKeys)
}

func proofCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proof --config FILE --request-id ID",
		Short: "Print the proof that the record of a request is in the ledger, with the record (C2SP tlog-proof)",
	}
	id := cmd.Flags().String("request-id", "", "the request: x-amzn-RequestId of its answer, requestID of its record")
	if err := cmd.MarkFlagRequired("request-id"); err != nil {
		panic(err) // the flag is there: it was made above
	}
	return withText(cmd, std, func(client *admin.Client, ctx context.Context) ([]byte, error) { return client.Proof(ctx, *id) })
}

// withText makes a command that prints what a node answers.
func withText(cmd *cobra.Command, std streams, ask func(*admin.Client, context.Context) ([]byte, error)) *cobra.Command {
	return withClient(cmd, func(ctx context.Context, client *admin.Client, _ output) error {
		text, err := ask(client, ctx)
		if err != nil {
			return err
		}
		_, err = std.out.Write(text)
		return err
	})
}

func epochCommand() *cobra.Command {
	declare := &cobra.Command{
		Use:   "declare --config FILE",
		Short: "Begin a new epoch of the ledger, after a restore: nodes that signed more than it holds sign again",
	}
	withClient(declare, func(ctx context.Context, client *admin.Client, _ output) error { return client.DeclareEpoch(ctx) })
	return group("epoch", "Epochs of the ledger", declare)
}

// verifyCommand needs no node: an auditor has files.
func verifyCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --keys FILE (--checkpoint FILE | --proof FILE) [RECORDS]",
		Short: "Verify an export of the ledger, or the proof of one record, offline",
		Long: "Verify an export of the ledger (what \"cofre ledger records\" prints, from the first record on) against a signed\n" +
			"checkpoint, or one record against its proof. RECORDS is a file, standard input where it is missing or -;\n" +
			"a proof has its record with it, if no other is given.\n" +
			"The keys are all that is trusted: keep them from a time when you trusted the cluster.",
		Args: cobra.MaximumNArgs(1),
	}
	keys := cmd.Flags().String("keys", "", "file of verifier keys, one a line")
	checkpoint := cmd.Flags().String("checkpoint", "", "file of a signed checkpoint")
	proof := cmd.Flags().String("proof", "", "file of a proof (C2SP tlog-proof)")
	if err := cmd.MarkFlagRequired("keys"); err != nil {
		panic(err) // the flag is there: it was made above
	}
	cmd.MarkFlagsOneRequired("checkpoint", "proof")
	cmd.MarkFlagsMutuallyExclusive("checkpoint", "proof")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		trusted, err := readKeys(*keys)
		if err != nil {
			return failedError{err}
		}
		if len(args) == 0 && *proof != "" {
			if err := verifyProof(std.out, trusted, *proof, nil); err != nil {
				return failedError{err}
			}
			return nil
		}
		records, done, err := openRecords(std, args)
		if err != nil {
			return failedError{err}
		}
		defer done()
		if *proof != "" {
			err = verifyProof(std.out, trusted, *proof, records)
		} else {
			err = verifyExport(std.out, trusted, *checkpoint, records)
		}
		if err != nil {
			return failedError{err}
		}
		return nil
	}
	return cmd
}

func readKeys(path string) (*ledger.Keys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading verifier keys: %w", err)
	}
	defer file.Close()
	return ledger.ParseKeys(file)
}

func openRecords(std streams, args []string) (r *bufio.Reader, done func(), err error) {
	if len(args) == 0 || args[0] == "-" {
		return bufio.NewReaderSize(std.in, ledger.MaxEvent+1), func() {}, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, fmt.Errorf("reading records: %w", err)
	}
	return bufio.NewReaderSize(file, ledger.MaxEvent+1), func() { file.Close() }, nil
}

// nextRecord answers a line without its end, and io.EOF behind the last one. The
// record is good until the next call.
func nextRecord(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return line, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading records: %w", err) // a line that is too long for a record, too
	}
	return bytes.TrimSuffix(line, []byte("\n")), err
}

func verifyExport(w io.Writer, keys *ledger.Keys, path string, records *bufio.Reader) error {
	note, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	c, err := keys.Open(note)
	if err != nil {
		return err
	}
	audit := ledger.NewAudit(c)
	more := 0 - c.Size
	for {
		record, err := nextRecord(records)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		audit.Add(record)
		more++
	}
	if err := audit.Finish(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "verified: %d records are the ledger %s\n", c.Size, c.Origin)
	if err == nil && more > 0 {
		_, err = fmt.Fprintf(w, "not verified: %d records behind the checkpoint\n", more)
	}
	return err
}

func verifyProof(w io.Writer, keys *ledger.Keys, path string, records *bufio.Reader) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the proof: %w", err)
	}
	proof, err := ledger.ParseProof(text)
	if err != nil {
		return err
	}
	record := proof.Extra
	if records != nil {
		if record, err = nextRecord(records); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	c, err := proof.Verify(record, keys)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "verified: the record is number %d of the ledger %s, as of %d records\n", proof.Index, c.Origin, c.Size)
	return err
}
