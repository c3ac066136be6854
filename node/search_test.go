package node_test

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
)

func TestSearch(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		for _, p := range []lot.Plate{"ABC 123", "abd", "ab", "XYZ", "東京"} {
			if _, err := larry.TrackEntry(t.Context(), p, 1); err != nil {
				t.Fatal(err)
			}
		}
		for prefix, want := range map[string]string{"ab": "[ABC 123 ab abd]", "": "[ABC 123 XYZ ab abd 東京]", "x": "[XYZ]", "東": "[東京]", "Q": "[]"} {
			if got := fmt.Sprint(plates(larry.Search(prefix, 10))); got != want {
				t.Errorf("%q: %s, want %s", prefix, got, want)
			}
		}
		if got := fmt.Sprint(plates(larry.Search("", 2))); got != "[ABC 123 XYZ]" {
			t.Errorf("two of five: %s", got)
		}
	})
}

func plates(vs []lot.Vehicle) []lot.Plate {
	all := make([]lot.Plate, 0, len(vs))
	for _, v := range vs {
		all = append(all, v.Plate)
	}
	return all
}

// In a lot of more than a search looks at, a plate typed to its end is found
// nonetheless.
func TestSearchInALargeLot(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("a hundred thousand vehicles")
	}
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		const vehicles = 100_000
		for i := range vehicles {
			if _, err := larry.TrackEntry(t.Context(), lot.Plate(fmt.Sprintf("CAR %05d", i)), 1); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if n := len(larry.Search("car", 100)); n != 100 {
			t.Errorf("%d of many are found", n)
		}
		for i := 0; i < vehicles; i += vehicles / 50 {
			p := lot.Plate(fmt.Sprintf("CAR %05d", i))
			if got := larry.Search(string(p), 100); len(got) != 1 || got[0].Plate != p {
				t.Errorf("%s: %v", p, got)
			}
		}
	})
}
