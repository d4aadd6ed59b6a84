package analysis

import (
	"fmt"
	"strings"
)

// Explanation is what stands behind a number: every metric and detector has one, in the table that computes it.
type Explanation struct {
	// Name as on the command line and in every file.
	Name string
	// Definition of the number, or the formula of a score.
	Definition string
	// Source: publication or code.
	Source string
	// Fit: what it learns from; empty where that is no question.
	Fit string
	// Pitfalls: when it should not be read, and what it does at the edges.
	Pitfalls string
	// Parts are its variants or parameters.
	Parts []Part
}

// Part is a variant or parameter of an Explanation.
type Part struct{ Name, Meaning string }

// String lays the explanation out as lines for people.
func (e Explanation) String() string {
	var s strings.Builder
	fmt.Fprintln(&s, e.Name)
	for _, line := range []struct{ label, text string }{{"definition", e.Definition}, {"source", e.Source}, {"fitted on", e.Fit}, {"pitfalls", e.Pitfalls}} {
		if line.text != "" {
			fmt.Fprintf(&s, "  %-11s %s\n", line.label, line.text)
		}
	}
	width := 0
	for _, p := range e.Parts {
		width = max(width, len(p.Name))
	}
	for _, p := range e.Parts {
		fmt.Fprintf(&s, "  %-*s  %s\n", max(width, 11), p.Name, p.Meaning)
	}
	return s.String()
}
