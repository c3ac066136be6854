package lot

import "testing"

func TestSpaces(t *testing.T) {
	for _, tc := range []struct {
		spaces     Spaces
		free, over int
		admits     bool
	}{
		{Spaces{Total: 10}, 10, 0, true},
		{Spaces{Total: 10, Taken: 9}, 1, 0, true},
		{Spaces{Total: 10, Taken: 10}, 0, 0, false},
		{Spaces{Total: 10, Taken: 13}, 0, 3, false},
		{Spaces{}, 0, 0, false},
	} {
		if got := tc.spaces.Free(); got != tc.free {
			t.Errorf("%+v: %d free, not %d", tc.spaces, got, tc.free)
		}
		if got := tc.spaces.Over(); got != tc.over {
			t.Errorf("%+v: %d over, not %d", tc.spaces, got, tc.over)
		}
		if err := tc.spaces.CheckAdmit(); (err == nil) != tc.admits {
			t.Errorf("%+v: %v", tc.spaces, err)
		}
	}
}
