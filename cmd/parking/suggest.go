package main

import (
	"errors"
	"fmt"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearest returns the name that was most probably meant by one that does not
// exist, or nothing.
func nearest(name string, names []string) (best string) {
	distance := min(2, len(name)/2) + 1
	for _, n := range names {
		if d := levenshtein.ComputeDistance(name, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// didYouMean asks whether best was meant, or says otherwise if it is empty.
func didYouMean(best, otherwise string) string {
	if best == "" {
		return otherwise
	}
	return "did you mean " + best + "?"
}

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
	err := fmt.Errorf("there is no sub-command %.40q", args[0])
	if best := nearest(args[0], names); best != "" {
		err = fmt.Errorf("%w; did you mean %s?", err, best)
	}
	return &usageError{err}
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
		if best := nearest(name, settingNames(c.Flags())); best != "" {
			err = fmt.Errorf("%w; did you mean --%s?", err, best)
		}
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
