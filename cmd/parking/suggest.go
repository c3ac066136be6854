package main

import (
	"github.com/agnivade/levenshtein"
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

// settingNames returns the names of the settings that there are flags for.
func settingNames(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if setting(flags, f.Name) != nil {
			names = append(names, f.Name)
		}
	})
	return names
}
