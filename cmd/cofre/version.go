package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(std streams) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		b := readBuild()
		_, err := fmt.Fprintf(std.out, "cofre %s (commit %s, %s)\n", b.version, b.commit, b.goVersion)
		return err
	}}
}

// build is what the Go toolchain wrote into the binary.
type build struct{ version, commit, goVersion string }

func readBuild() build {
	b := build{version: "(unknown)", commit: "(unknown)", goVersion: "(unknown)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.version, b.goVersion = info.Main.Version, info.GoVersion
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.commit = setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			if setting.Value == "true" {
				b.commit += ", changed"
			}
		}
	}
	return b
}

// userAgent is what the records of operators' calls say.
func userAgent() string { return "cofre/" + readBuild().version }
