package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"parking/lot"
	"parking/repl"
)

// judge has the cluster's session judged, and notes the verdict. A promise that
// was broken is an error.
func (t *trial) judge(ctx context.Context, s *sample) error {
	all := t.members()
	if len(all) == 0 {
		return nil
	}
	m := all[0]
	var out bytes.Buffer
	err := m.client.Exec(ctx, "verdict", repl.Options{Format: repl.JSON}, &out, io.Discard)
	if err != nil && !errors.Is(err, lot.Broken) {
		return m.fails(ctx, err)
	}
	var v struct {
		Outcome string `json:"outcome"`
		Checks  []struct {
			Name, Word, Text string
			Findings         []struct{ Level, Text string }
		} `json:"checks"`
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		return fmt.Errorf("%s: the verdict cannot be read: %w", m.name, err)
	}
	s.note("verdict: %s", v.Outcome)
	for _, c := range v.Checks {
		for _, f := range c.Findings {
			if f.Level == "broken" || f.Level == "inconclusive" {
				s.note("verdict: %s: %s", c.Name, f.Text)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}
