package crdt

import "testing"

func TestReplicaReadsAsNameAndIncarnation(t *testing.T) {
	d := Dot{NewReplica("curly", 0xabc), 7}
	if got := d.String(); got != "curly/0000000000000abc:7" {
		t.Error(got)
	}
	if got := (Replica{}).String(); got != "-" {
		t.Error(got)
	}
	if r, err := DecodeReplica("curly", 0xabc); err != nil || r != d.Replica || r.Node() != "curly" || r.Incarnation() != 0xabc {
		t.Errorf("%v, %v", r, err)
	}
}

func TestReplicasAreOrderedByNameThenIncarnation(t *testing.T) {
	ordered := []Replica{NewReplica("a", 2), NewReplica("b", 1), NewReplica("b", 3), NewReplica("bb", 0)}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v against %v: %d", a, b, got)
			}
		}
	}
}
