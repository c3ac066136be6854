package bench

import "testing"

func TestCounts(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "300": 300, "1k": 1000, "100k": 100_000, "2M": 2_000_000} {
		if got, err := ParseCount(s); got != want || err != nil {
			t.Errorf("ParseCount(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "k", "M", "-1", "+1", "1.5k", "1kk", "1kM", "1 k", "1K", "3000M", "99999999999999999999", "ten"} {
		if got, err := ParseCount(s); err == nil {
			t.Errorf("ParseCount(%q) = %d", s, got)
		}
	}
	if all, err := ParseCounts("3, 10,1k"); err != nil || len(all) != 3 || all[2] != 1000 {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := ParseCounts("3,,10"); err == nil {
		t.Errorf("%v", all)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1k", 1234: "1234", 2500: "2.5k", 100_000: "100k", 1_000_000: "1M", 1_500_000: "1.5M"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestQuantities(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.00613, "s", "6.13 ms"}, {1, "s", "1 s"}, {0.9999, "s", "1.00 s"}, {75.25, "s", "75.2 s"}, {4321, "s", "4321 s"},
		{41e-6, "s", "41 µs"}, {9.996e-6, "s", "10.0 µs"}, {5e-10, "s", "0.50 ns"}, {0, "s", "0 s"}, {-0.02, "s", "-20 ms"},
		{412, "B", "412 B"}, {999.9, "B", "1.00 kB"}, {99_950, "B", "100 kB"}, {1.5e9, "B", "1.50 GB"}, {0.04, "B", "0.04 B"}, {1234, "B/s", "1.23 kB/s"},
		{97_312, "changes/s", "97.3k changes/s"}, {12, "changes/s", "12 changes/s"},
		{0.5, "%", "0.50 %"}, {180.2, "%", "180 %"}, {1500, "%", "1500 %"}, {1500, "", "1.50 k"},
	} {
		if got := quantity(tt.v, tt.unit); got != tt.want {
			t.Errorf("quantity(%v, %q) = %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}

func TestPlatesAndTheirNumbers(t *testing.T) {
	for number, want := range map[uint64]string{0: "~a000000", 35: "~a00000z", 36: "~a000010", maxNumber - 1: "~azzzzzz"} {
		p := plate("~a", number)
		if string(p) != want || !p.Valid() {
			t.Errorf("plate %d is %q", number, p)
		}
		if got, ok := numbered(p, "~a"); got != number || !ok {
			t.Errorf("the number of %q is %d, %v", p, got, ok)
		}
		if _, ok := numbered(p, "~b"); ok {
			t.Errorf("%q has the prefix ~b", p)
		}
	}
	for _, other := range []string{"~a", "~a1", "~a00000Z", "~a0000000", "~a+00001", "ABC 123"} {
		if n, ok := numbered("~a", other); ok {
			t.Errorf("%q has the number %d", other, n)
		}
	}
}
