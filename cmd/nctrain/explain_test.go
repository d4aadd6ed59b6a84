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
	for name, near := range map[string]string{"nc6": "did you mean nc1, nc2, ", "enrgy": "did you mean energy?", "Mahalanobbis": "did you mean mahalanobis", "bootstrap": "\" (nctrain explain", "x": "\" (nctrain explain"} {
		_, stderr, status := call("explain", name)
		if status != exitUsage {
			t.Errorf("%s: status %d", name, status)
		}
		wantLine(t, stderr, name, near, " lists them")
	}
}

// Names are found as the tables write them, in any case; a heading that several numbers share leads to all of them.
func TestExplainKnowsTheHeadingsOfTables(t *testing.T) {
	for _, head := range detectionHeads {
		name, _, _ := strings.Cut(head.name, " ↑")
		name, _, _ = strings.Cut(name, " ↓")
		if text := must(t, "explain", name); !strings.Contains("\n"+text, "\n"+head.key+"\n") {
			t.Errorf("explain %s does not explain %s: %q", name, head.key, text)
		}
	}
	for name, keys := range map[string]string{"FPR@95": "fpr95_ood_pos fpr95_id_pos", "AUPR": "aupr_out aupr_in aupr_out_trapz aupr_in_trapz", "AURC": "aurc", "NC1.CDNV": "nc1.cdnv", "ViM": "vim"} {
		text := "\n" + must(t, "explain", name)
		for key := range strings.FieldsSeq(keys) {
			if !strings.Contains(text, "\n"+key+"\n") {
				t.Errorf("explain %s does not explain %s: %q", name, key, text)
			}
		}
	}
}
