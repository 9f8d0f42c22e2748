package config

import "strings"

// maxTypo is the longest word that is compared with the known ones, in bytes.
const maxTypo = 40

// nearest returns the candidate that word is most likely a misspelling of, or
// "" if none is near: a third of the letters may differ, and at least one.
func nearest(word string, candidates []string) string {
	if len(word) > maxTypo {
		return ""
	}
	word = strings.ToLower(word)
	best, bestEdits := "", max(1, len(word)/3)
	for _, candidate := range candidates {
		if d := len(candidate) - len(word); d > bestEdits || -d > bestEdits {
			continue
		}
		if n := edits(word, strings.ToLower(candidate)); n < bestEdits || n == bestEdits && best == "" {
			best, bestEdits = candidate, n
		}
	}
	return best
}

// edits counts the letters to insert, delete, change or swap with their
// neighbour to get from a to b: the optimal string alignment distance.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
