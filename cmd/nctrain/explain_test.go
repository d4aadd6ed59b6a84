package main

import (
	"strings"
	"testing"
)

// Every name that explain lists is explained, with what defines it.
func TestExplainKnowsWhatItLists(t *testing.T) {
	names := strings.Fields(must(t, "explain"))
	if len(names) < 40 {
		t.Errorf("only %d names: %v", len(names), names)
	}
	for _, name := range names {
		if text := must(t, "explain", name); len(text) < 80 || !strings.Contains(text, name[strings.LastIndexByte(name, '.')+1:]) {
			t.Errorf("explain %s says %q", name, text)
		}
	}
	if _, stderr, status := call("explain", "nc6"); status != exitUsage || !strings.Contains(stderr, "nc6") {
		t.Errorf("an unknown name: status %d, %q", status, stderr)
	}
}
