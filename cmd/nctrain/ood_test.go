package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// oodSet is a feature set cut into training, held-out, ID test and "OOD" rows.
func oodSet(t *testing.T) (s featureSet, args []string) {
	t.Helper()
	s = newFeatureSet(t)
	for name, rows := range map[string][2]int{"train.npz": {0, 160}, "val.npz": {160, 200}, "id.npz": {200, 260}, "far.npz": {260, 300}} {
		s.write(t, name, rows[0], rows[1], analysis.Meta{Checkpoint: "abc"})
	}
	return s, []string{"ood", "--id", s.at("id.npz"), "--ood", "far=" + s.at("far.npz"), "--head", s.at("head.npz")}
}

// TestOODSaysOnceWhatIsLeftOut: with two sets, and no training rows for vim.
func TestOODSaysOnceWhatIsLeftOut(t *testing.T) {
	s, args := oodSet(t)
	text := must(t, append(args, "--ood", "again="+s.at("far.npz"), "--scores", "energy,vim")...)
	if n := strings.Count(text, "fitted on training rows"); n != 1 || !strings.Contains(text, "warning: vim is left out: it is fitted on training rows") {
		t.Errorf("said %d times in\n%s", n, text)
	}
}

// TestThresholdsOfRowsThatAreNotHeldOut: val that is the training set or the ID test set is refused, and what is saved is apart from both.
func TestThresholdsOfRowsThatAreNotHeldOut(t *testing.T) {
	s, args := oodSet(t)
	args = append(args, "--train", s.at("train.npz"), "--scores", "energy", "--threshold-at", "0.9", "--save", s.at("d.npz"))
	for _, name := range []string{"train.npz", "id.npz"} {
		_, stderr, status := call(append(args, "--val", s.at(name))...)
		if status != exitFailed {
			t.Errorf("%s: status %d", name, status)
		}
		wantLine(t, stderr, name, "also occur in the training or the ID test rows", "--drop-overlap", "--allow-overlap")
		if _, err := os.Stat(s.at("d.npz")); err == nil {
			t.Error("a file was left behind")
		}
	}
	if text := must(t, append(args, "--val", s.at("val.npz"))...); strings.Contains(text, "also occur") {
		t.Errorf("held-out rows:\n%s", text)
	}
}

// TestTheTableHasWhatTheJSONHas: differences to the baseline, thresholds with their warnings, and what fits found (ranks and floors decide under collapse) are printed.
func TestTheTableHasWhatTheJSONHas(t *testing.T) {
	s, args := oodSet(t)
	text := must(t, append(args, "--train", s.at("train.npz"), "--val", s.at("val.npz"), "--scores", "msp,mahalanobis,klm", "--bootstrap", "40", "--threshold-at", "0.9")...)
	for _, line := range []string{
		`(?m)^  score .* AUROC 95 %  +less msp  +95 % of that  +p \(Holm\)$`,
		`(?m)^  msp .* +- +- +-$`,
		`(?m)^  klm .* -?\d+\.\d\d +-?\d+\.\d\d\.\.-?\d+\.\d\d +\S*\d$`,
		`(?m)^  95 %: of the sampling of test rows alone, 40 resamples; less msp: .* for all comparisons \(2\)$`,
		`(?m)^  msp +-?[\d.e-]+ +90\.00 +\d+\.\d\d\.\.\d+\.\d\d +\d+\.\d\d$`,
		`(?m)^warning: klm: fitted on the rows that the threshold is taken from`,
		`(?m)^  mahalanobis +train +rank \d+, floor \S+, rank_eps32 \d+, floor_eps32 `,
		`(?m)^  klm +val +classes \d`,
		`(?m)^  health .*: head_mismatch \S+, fit_rows 160, fit_smallest_class \d+, val_rows 40, overlap 0, `,
	} {
		if !regexp.MustCompile(line).MatchString(text) {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	if text := must(t, append(args, "--scores", "msp")...); strings.Contains(text, "less msp") || strings.Contains(text, "Thresholds") || strings.Contains(text, "fitted on") {
		t.Errorf("nobody asked for intervals, thresholds or fits:\n%s", text)
	}
	if text := must(t, append(args, "--scores", "mls,energy", "--bootstrap", "40")...); !strings.Contains(text, "no differences: msp is not among the scores") {
		t.Errorf("no word of the missing baseline in\n%s", text)
	}
	s.write(t, "one.npz", 260, 261, analysis.Meta{Checkpoint: "abc"})
	if text := must(t, append(args, "--ood", "one="+s.at("one.npz"), "--scores", "energy", "--bootstrap", "40")...); !strings.Contains(text, "warning: energy: 60 ID and 1 OOD rows: one row tells nothing") {
		t.Errorf("no word of why there is no interval in\n%s", text)
	}
}

// TestAURCKeepsItsDigits: an area of hundredths of a percent is told from 0.
func TestAURCKeepsItsDigits(t *testing.T) {
	r := &ood.Result{}
	var metrics, selective analysis.Values
	metrics.Set("auroc", 97)
	selective.Set("aurc", 0.001234)
	var byScore analysis.Ordered[analysis.Values]
	byScore.Set("energy", metrics)
	r.OOD.Set("far", byScore)
	r.Selective.Set("energy", selective)
	var text strings.Builder
	if err := printDetection(&text, r); err != nil || !strings.Contains(text.String(), "97.00") || !strings.Contains(text.String(), "0.001234") {
		t.Errorf("err %v, the table says\n%s", err, text.String())
	}
}

// TestAnErrorOfTheRowsIsNoneOfTheOutput: score names the features that are wrong, and says nothing of the file that it would have written.
func TestAnErrorOfTheRowsIsNoneOfTheOutput(t *testing.T) {
	s, args := oodSet(t)
	must(t, append(args, "--scores", "energy", "--save", s.at("d.npz"))...)
	wrong := s
	wrong.d, wrong.features = 3, s.features[:3*60]
	wrong.write(t, "wrong.npz", 0, 60, analysis.Meta{Checkpoint: "abc"})
	for _, out := range []string{"s.csv", "s.npz"} {
		_, stderr, status := call("score", "--detector", s.at("d.npz"), "--features", s.at("wrong.npz"), "--out", s.at(out))
		if status != exitFailed || strings.Contains(stderr, out) {
			t.Errorf("status %d, %q", status, stderr)
		}
		wantLine(t, stderr, "wrong.npz", "do not fit")
	}
}
