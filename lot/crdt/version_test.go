package crdt

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"parking/lot/wire"
)

func TestVersionsSurviveTheCodec(t *testing.T) {
	ms := sample()
	for n := range len(ms) {
		d := joined(moe, ms[n:]...)
		if why := sameVersion(overVersion(t, d.Version()), modelOf(ms[n:]...)); why != "" {
			t.Error(why)
		}
	}
	if v := overVersion(t, Version{}); len(v.rows) != 0 {
		t.Error("an empty version is not empty")
	}
}

func TestMalformedVersionsAreRefused(t *testing.T) {
	rep := func() *wire.Replica { return &wire.Replica{Node: "curly", Incarnation: 1} }
	row := func(top uint64, cloud ...uint64) *wire.Version_Row {
		return &wire.Version_Row{Replica: rep(), Max: top, Cloud: cloud}
	}
	for name, rows := range map[string][]*wire.Version_Row{
		"maximum beyond 2^48":        {row(MaxSeq + 1)},
		"maximum 2^64-1":             {row(math.MaxUint64)},
		"maximum 2^64-1 and a cloud": {row(math.MaxUint64, 5)},
		"maximum 2^64-2 and a cloud": {row(math.MaxUint64-1, math.MaxUint64)},
		"cloud beyond 2^48":          {row(1, MaxSeq+1)},
		"cloud at 2^64-1":            {row(1, math.MaxUint64)},
		"cloud beside the maximum":   {row(1, 2)},
		"cloud below the maximum":    {row(5, 3)},
		"cloud out of order":         {row(1, 5, 4)},
		"cloud with a dot twice":     {row(1, 5, 5)},
		"sequence 0 in the cloud":    {row(0, 0)},
		"cloud from 1":               {row(0, 1)},
		"nothing of a replica":       {row(0)},
		"a replica twice":            {row(1), row(2)},
		"no replica":                 {{Max: 1}},
		"a nil row":                  {nil},
		"too many replicas":          slices.Repeat([]*wire.Version_Row{row(1)}, maxReplicas+1),
	} {
		if v, err := DecodeVersion(&wire.Version{Rows: rows}); !isMalformed(err) || v.rows != nil {
			t.Errorf("%s: %v, error %v", name, v, err)
		}
		var st Stager
		if err := st.Add(&wire.StateChunk{Version: &wire.Version{Rows: rows}}); !isMalformed(err) || st.Started() {
			t.Errorf("%s, in a state: %v", name, err)
		}
	}
}

func TestEncodingIsTheSameEachTime(t *testing.T) {
	opts := proto.MarshalOptions{Deterministic: true}
	first, err := opts.Marshal(EncodeVersion(joined(moe, sample()...).Version()))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := opts.Marshal(EncodeVersion(joined(moe, sample()...).Version())); !bytes.Equal(first, again) {
			t.Fatal("a version is encoded in no fixed order")
		}
	}
}
