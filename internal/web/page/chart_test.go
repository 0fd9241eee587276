// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/locale"
)

func TestScalesHaveRoundMarks(t *testing.T) {
	for _, test := range []struct {
		highest, lowest int
		want            []int
	}{
		{0, 0, []int{1, 0}},
		{1, 0, []int{1, 0}},
		{4, 0, []int{4, 3, 2, 1, 0}},
		{5, 0, []int{6, 4, 2, 0}},
		{3412, 0, []int{4000, 3000, 2000, 1000, 0}},
		{41, 0, []int{60, 40, 20, 0}},
		{22, 6, []int{30, 20, 10, 0, 10}},
		{0, 3, []int{1, 0, 1, 2, 3}},
		{1_000_000, 0, []int{1_000_000, 500_000, 0}},
	} {
		s := newScale(test.highest, test.lowest)
		if got := s.marks(); !slices.Equal(got, test.want) {
			t.Errorf("%d down to -%d: marks %v, want %v", test.highest, test.lowest, got, test.want)
		}
		for _, v := range []int{test.highest, -test.lowest} {
			if y := s.y(v); y < 0 || y > chartHeight {
				t.Errorf("%d of %d to -%d lies at %v, outside", v, test.highest, test.lowest, y)
			}
		}
		if grid := s.grid(); grid[0] != 0 || grid[len(grid)-1] != chartHeight || len(grid) != len(test.want) {
			t.Errorf("the grid is %v", grid)
		}
	}
}

func TestALineGoesFromEdgeToEdge(t *testing.T) {
	for _, test := range []struct {
		values []int
		want   string
	}{
		{[]int{0, 2, 4}, "M0 240L500 120L1000 0"},
		{[]int{4}, "M0 0H1000"},
		{nil, ""},
	} {
		c := Chart{Series: []Series{{Values: test.values}}}
		if got := c.line(c.Series[0]); got != test.want {
			t.Errorf("%v is drawn %q, want %q", test.values, got, test.want)
		}
	}
}

// What came stands on zero, what went hangs from it, and nothing covers anything else.
func TestBlocksArePiledUp(t *testing.T) {
	f := Flow{Chart: Chart{Days: []string{"lun", "mar"}}, InWord: "Entrati", OutWord: "Usciti",
		Ways: []FlowWay{{Label: "a", In: []int{10, 0}, Out: []int{5, 0}}, {Label: "b", In: []int{10, 0}, Out: []int{5, 0}}, {Label: "c", In: []int{0, 0}, Out: []int{0, 10}}}}
	zero := f.scale().y(0)
	blocks := f.blocks(sceneContext(locale.Italian))
	if len(blocks) != 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	a, aOut, b, bOut, next := blocks[0], blocks[1], blocks[2], blocks[3], blocks[4]
	if a.top+a.height != zero || b.top+b.height != a.top || aOut.top != zero || bOut.top != aOut.top+aOut.height {
		t.Errorf("around %v: %+v", zero, blocks)
	}
	if next.left < a.left+a.width || next.top != zero {
		t.Errorf("the next day is at %+v", next)
	}
	if a.title != "lun: Entrati 10, a" || bOut.title != "lun: Usciti 5, b" {
		t.Errorf("titles %q and %q", a.title, bOut.title)
	}
	f.Ways[0].In[0] = 100_000
	if small := f.blocks(sceneContext(locale.Italian))[1]; small.height < least {
		t.Errorf("five of a hundred thousand are %v high", small.height)
	}
}
