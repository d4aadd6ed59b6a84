package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
)

// What is undefined is a dash in the table, which stays narrow, and a line with its reason below; test labels that are no class of the head are warned of.
func TestUndefinedVariantsHaveTheirReasonsBelowTheTable(t *testing.T) {
	s := newFeatureSet(t)
	must(t, "stats", "--features", s.at("train.npz"), "--out", s.at("all.npz"))
	outside := s
	outside.labels = slices.Clone(s.labels)
	outside.labels[3] = int64(s.c)
	outside.write(t, "outside.npz", 0, 300, analysis.Meta{})
	for _, c := range []struct {
		args []string
		says []string
		dash string
	}{
		{[]string{"--stats", s.at("all.npz")}, []string{"\n  undefined: nc4 train: " + s.at("all.npz") + " holds statistics", "\n  undefined: accuracy test, nc4 test: no test set was given"}, `(?m)^  nc4 +train +-$`},
		{[]string{"--features", s.at("train.npz"), "--test", s.at("outside.npz")}, []string{
			"\n  undefined: accuracy test, nc1_test, nc2_test, nc3_test: 1 of 300 labels of " + s.at("outside.npz") + " are no class of the head\n",
			"\nwarning: 1 of 300 labels of " + s.at("outside.npz") + " are no class of the head\n"}, `(?m)^  nc1_test +rank +-$`},
	} {
		text := must(t, append([]string{"nc", "--head", s.at("head.npz")}, c.args...)...)
		for _, part := range c.says {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in\n%s", part, text)
			}
		}
		if wide := regexp.MustCompile(`(?m)^  (nc\d|health|         ).{60,}$`).FindString(text); wide != "" {
			t.Errorf("a line of the table is %d columns wide: %q", len(wide), wide)
		}
		if counts := `(?m)^ +smallest_class +\d+\n +largest_class +\d+$`; !regexp.MustCompile(counts).MatchString(text) {
			t.Errorf("counts are no whole numbers in\n%s", text)
		}
		if !regexp.MustCompile(c.dash).MatchString(text) {
			t.Errorf("no line %s in\n%s", c.dash, text)
		}
	}
}
