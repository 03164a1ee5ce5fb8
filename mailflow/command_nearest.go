package mailflow

import (
	"fmt"
	"slices"
	"strings"
)

// nearest suggests what was probably meant, as the end of a sentence:
// "; did you mean invite?". It is empty when nothing is near.
func nearest(word string, known []string) string {
	near := nearestWords(word, known)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
}

// nearestWords lists the known words with the fewest edits between them and
// word, at most three, if these are few for its length; a word that begins
// with it is near as well.
func nearestWords(word string, known []string) []string {
	word = strings.ToLower(word)
	best := len([]rune(word))/3 + 1
	var near []string
	for _, k := range known {
		d := edits([]rune(word), []rune(k))
		if len(word) > 1 && strings.HasPrefix(k, word) {
			d = min(d, 1)
		}
		switch {
		case d < best:
			best, near = d, []string{k}
		case d == best && !slices.Contains(near, k):
			near = append(near, k)
		}
	}
	return near[:min(len(near), 3)]
}

// edits is how many letters must be put in, left out, changed or swapped with
// their neighbour to make b of a (optimal string alignment).
func edits(a, b []rune) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
