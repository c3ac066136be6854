package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release that this source becomes. A build of another sets it:
// go build -ldflags '-X main.version=1.2.3'.
var version = "0.1.0"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "tell which parking this is",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("parking %s %s %s/%s", built(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// build is what is known of how this program was built.
type build struct {
	Version string
	Commit  string // its first twelve digits, and whether there was more; empty if it is not known
}

// String reads "1.2.3 (0588681abcde)".
func (b build) String() string {
	if b.Commit == "" {
		return b.Version
	}
	return b.Version + " (" + b.Commit + ")"
}

// built reads what the toolchain has left in the program.
func built() build {
	b := build{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	changed := false
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			b.Commit = s.Value[:12]
		case s.Key == "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if b.Commit != "" && changed {
		b.Commit += "+changes"
	}
	return b
}
