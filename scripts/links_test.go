package scripts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// prose is what a page says, without what it shows.
func prose(t *testing.T, path string) string {
	t.Helper()
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(content(t, path), "")
}

// anchors returns what can be linked to in a page: its headings, as GitHub spells
// them.
func anchors(t *testing.T, path string) (all []string) {
	t.Helper()
	gone := regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
	times := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`).FindAllStringSubmatch(prose(t, path), -1) {
		a := strings.ReplaceAll(gone.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		if times[a]++; times[a] > 1 {
			a += "-" + strconv.Itoa(times[a]-1)
		}
		all = append(all, a)
	}
	return all
}

// What a page links to is there: each file, and each heading of a page.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		pages, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s: no pages, %v", pattern, err)
		}
		for _, page := range pages {
			page = strings.TrimPrefix(page, "../")
			for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				file, anchor, anchored := strings.Cut(m[1], "#")
				target := page
				if file != "" {
					target = filepath.Join(filepath.Dir(page), file)
				}
				if _, err := os.Stat(filepath.Join("..", target)); err != nil {
					t.Errorf("%s links to %s: %v", page, m[1], err)
				} else if anchored && !slices.Contains(anchors(t, target), anchor) {
					t.Errorf("%s links to %s, and %s has no such heading", page, m[1], target)
				}
			}
		}
	}
}
