package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parking/repl"
)

// moreHelp is what to do about a wrong command line.
const moreHelp = "parking --help tells more"

// noArgs refuses arguments, most often a misspelt sub-command.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !c.HasSubCommands():
		return &usageError{fmt.Errorf("%s takes no argument %.40q", c.Name(), args[0])}
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return &usageError{fmt.Errorf("there is no sub-command %.40q; %s", args[0], repl.DidYouMean(args[0], names, moreHelp))}
}

// flagError makes what cobra says of a wrong flag one line for people.
func flagError(c *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		_, usage := pflag.UnquoteUsage(bad.GetFlag())
		return &usageError{fmt.Errorf("--%s %.40q is not what it takes: %s", bad.GetFlag().Name, bad.GetValue(), usage)}
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" { // as in -sname
			name = short
		}
		var dashed []string
		for _, n := range settingNames(c.Flags()) {
			dashed = append(dashed, "--"+n)
		}
		err = fmt.Errorf("%w; %s", err, repl.DidYouMean("--"+name, dashed, moreHelp))
	}
	return &usageError{err}
}

// settingNames returns the names of the settings that there are flags for.
func settingNames(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if setting(flags, f.Name) != nil {
			names = append(names, f.Name)
		}
	})
	return names
}
