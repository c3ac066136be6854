package gates

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parking/lot"
)

func host(name string) Host { return Host{Node: name, Incarnation: 1} }

// cluster draws living and dead hosts and who holds which gates.
func cluster(t *rapid.T) (n int, alive []Host, holders map[lot.GateID]Host) {
	n = rapid.IntRange(1, 40).Draw(t, "gates")
	var all []Host
	for i := range rapid.IntRange(1, 8).Draw(t, "hosts") {
		all = append(all, Host{fmt.Sprintf("node-%d", i), rapid.Uint64Range(1, 3).Draw(t, "life")})
	}
	alive = all[:rapid.IntRange(1, len(all)).Draw(t, "alive")]
	holders = make(map[lot.GateID]Host)
	for g := lot.GateID(1); int(g) <= n; g++ {
		if i := rapid.IntRange(-1, len(all)-1).Draw(t, "holder"); i >= 0 {
			holders[g] = all[i]
		}
	}
	return n, alive, holders
}

func loads(placed map[lot.GateID]Host) map[Host]int {
	load := make(map[Host]int)
	for _, h := range placed {
		load[h]++
	}
	return load
}

// Every gate gets a living host; standing ones stay; the answer is the same
// on every node, in whatever order it lists the members; orphans go where
// least runs.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, alive, holders := cluster(t)
		got := Place(n, alive, holders)
		if len(got) != n {
			t.Fatalf("%d gates are placed, want %d", len(got), n)
		}
		standing := make(map[Host]int)
		for g, h := range got {
			if !slices.Contains(alive, h) {
				t.Fatalf("gate %d is placed on %v, which is not alive", g, h)
			}
			if was, ok := holders[g]; ok && slices.Contains(alive, was) {
				standing[was]++
				if was != h {
					t.Fatalf("gate %d moved from %v to %v though it stood", g, was, h)
				}
			}
		}
		if other := Place(n, rapid.Permutation(alive).Draw(t, "order"), maps.Clone(holders)); !maps.Equal(got, other) {
			t.Fatalf("placed %v, and in another order %v", got, other)
		}
		load := loads(got)
		for _, took := range alive {
			for _, other := range alive {
				if load[took] > standing[took] && load[took]-1 > load[other] {
					t.Fatalf("%v took an orphan and has %d gates now, %v has %d", took, load[took], other, load[other])
				}
			}
		}
	})
}

func TestPlaceNobody(t *testing.T) {
	if got := Place(4, nil, nil); len(got) != 0 {
		t.Errorf("placed %v with nobody alive", got)
	}
}

// larry ran all four and died: two and two, for any names of the others.
func TestTwoAndTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9-]{1,32}`), 3, 3, rapid.ID[string]).Draw(t, "names")
		holders := make(map[lot.GateID]Host)
		for g := lot.GateID(1); g <= 4; g++ {
			holders[g] = host(names[0])
		}
		load := loads(Place(4, []Host{host(names[1]), host(names[2])}, holders))
		if load[host(names[1])] != 2 || load[host(names[2])] != 2 {
			t.Fatalf("the survivors run %v", load)
		}
	})
}

// A joiner takes none, and a node that came back holds nothing.
func TestAJoinerTakesNone(t *testing.T) {
	larry, again := Host{"larry", 1}, Host{"larry", 2}
	holders := map[lot.GateID]Host{1: larry, 2: larry, 3: larry, 4: larry}
	if load := loads(Place(4, []Host{larry, host("gary")}, holders)); load[larry] != 4 {
		t.Errorf("after a join the gates run on %v", load)
	}
	if load := loads(Place(4, []Host{again, host("gary")}, holders)); load[again] != 2 {
		t.Errorf("larry's next life and gary run %v, want two each", load)
	}
}

// Ties are not always broken for the same host: many single orphans spread.
func TestTiesSpread(t *testing.T) {
	alive := []Host{host("gary"), host("harry"), host("barry")}
	first := make(map[Host]int)
	for g := lot.GateID(1); g <= 90; g++ {
		holders := make(map[lot.GateID]Host)
		for o := lot.GateID(1); o < g; o++ {
			holders[o] = alive[int(o)%3]
		}
		if g%3 == 1 { // equal loads so far
			first[Place(int(g), alive, holders)[g]]++
		}
	}
	for _, h := range alive {
		if first[h] < 4 || first[h] > 16 {
			t.Errorf("of 30 ties %v won %d", h, first[h])
		}
	}
}

// Spread ends even, moves as little as that takes, and says nothing twice.
func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, alive, holders := cluster(t)
		at := Place(n, alive, holders)
		load := loads(at)
		need, over := 0, len(at)%len(alive)
		sizes := make([]int, 0, len(alive))
		for _, h := range alive {
			sizes = append(sizes, load[h])
		}
		slices.Sort(sizes)
		slices.Reverse(sizes)
		for i, size := range sizes { // the fullest may keep one more
			keep := n / len(alive)
			if i < over {
				keep++
			}
			need += max(0, size-keep)
		}
		moves := Spread(n, alive, holders)
		for _, m := range moves {
			if at[m.Gate] != m.From || m.From == m.To {
				t.Fatalf("the move %+v is not from where the gate is, %v", m, at[m.Gate])
			}
			at[m.Gate] = m.To
		}
		load = loads(at)
		for _, a := range alive {
			for _, b := range alive {
				if load[a]-load[b] > 1 {
					t.Fatalf("uneven after a spread: %v", load)
				}
			}
		}
		if len(moves) != need {
			t.Fatalf("%d moves where %d are needed", len(moves), need)
		}
		if again := Spread(n, rapid.Permutation(alive).Draw(t, "order"), at); len(again) > 0 {
			t.Fatalf("an even spread was spread again: %v", again)
		}
	})
}

// The higher epoch wins, then the host; only the living count; the order in
// which claims are listed does not.
func TestWinner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, alive, _ := cluster(t)
		all := append(slices.Clone(alive), host("dead"))
		var claims []Claim
		for range rapid.IntRange(0, 6).Draw(t, "claims") {
			claims = append(claims, Claim{Host: rapid.SampledFrom(all).Draw(t, "host"), Epoch: rapid.Uint64Range(1, 4).Draw(t, "epoch")})
		}
		got, ok := Winner(claims, alive)
		for _, c := range claims {
			if !slices.Contains(alive, c.Host) {
				continue
			}
			if !ok || c.Epoch > got.Epoch || c.Epoch == got.Epoch && c.Host.Compare(got.Host) > 0 {
				t.Fatalf("%v won, %v is higher", got, c)
			}
		}
		if ok && !slices.Contains(alive, got.Host) {
			t.Fatalf("the winner %v is dead", got)
		}
		if len(claims) > 0 {
			if other, also := Winner(rapid.Permutation(claims).Draw(t, "order"), alive); ok != also || got != other {
				t.Fatalf("%v won, and in another order %v", got, other)
			}
		}
	})
}
