package discover

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	good := `{"name":"larry","cluster":"parking","fingerprint":"05dd294a383e66b9",` +
		`"addr":"127.0.0.1:7946","pid":7,"incarnation":"18446744073709551615","started":"2026-01-02T03:04:05Z"}`
	if e, err := decode(id("larry").stem(), []byte(good)); err != nil || e.Incarnation != 1<<64-1 {
		t.Fatalf("%v, %v", e, err)
	}
	for _, swap := range [][2]string{
		{`larry`, `Larry`}, {`larry`, `..`}, {`larry`, `larry\n`}, {`larry`, `moe`}, {`"parking"`, `""`}, {`"parking"`, `"garage"`},
		{`05dd`, `05DD`}, {`05dd`, `ffff`}, {`127.0.0.1:7946`, `127.0.0.1`}, {`127.0.0.1:7946`, `127.0.0.1:0`},
		{`127.0.0.1:7946`, `:7946`}, {`127.0.0.1:7946`, `\u001b[31m:7946`}, {`127.0.0.1:7946`, `a:99999`},
		{`"pid":7`, `"pid":0`}, {`"pid":7`, `"pid":-7`}, {`"pid":7`, `"pid":1e300`}, {`"1844`, `"9844`}, {`2026`, `soon`}, {`}`, ``}, {`}`, `}{}`},
	} {
		bad := strings.Replace(good, swap[0], swap[1], 1)
		if e, err := decode(id("larry").stem(), []byte(bad)); err == nil {
			t.Errorf("%s was read as %+v", bad, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("larry-", []byte(`{"name":"larry","cluster":"parking","fingerprint":"05dd294a383e66b9","addr":"[::1]:7946","pid":7,"incarnation":"3","started":"2026-01-02T03:04:05Z"}`))
	f.Add("", []byte(`{}`))
	f.Add("", []byte(`[`))
	f.Fuzz(func(t *testing.T, stem string, data []byte) {
		// The right stem, where the data has one, or nothing would pass.
		var claimed ID
		if json.Unmarshal(data, &claimed) == nil && strings.HasPrefix(claimed.stem(), stem) {
			stem = claimed.stem()
		}
		e, err := decode(stem, data)
		if err != nil {
			return
		}
		if _, err := splitAddr(e.Addr); err != nil || e.validate() != nil || e.PID <= 0 || e.stem() != stem || !stemChars.MatchString(stem) {
			t.Fatalf("%q was read as %+v", data, e)
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > maxFile {
			t.Fatalf("an entry of %d bytes", len(again))
		}
		back, err := decode(stem, again)
		if err != nil || !back.Started.Equal(e.Started) {
			t.Fatalf("%s: %v", again, err)
		}
		back.Started = e.Started
		if !reflect.DeepEqual(back, e) {
			t.Fatalf("%+v became %+v", e, back)
		}
	})
}
