package run

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nctrain/analysis/nc"
	"nctrain/nn"
)

func TestParseNamed(t *testing.T) {
	got, err := ParseNamed([]string{"shapes", "mine=npz:/a/b.npz", "npz:/data/noise.npz", "cifar10:/c=1"})
	want := []NamedSet{{"shapes", "shapes"}, {"mine", "npz:/a/b.npz"}, {"noise", "npz:/data/noise.npz"}, {"cifar10", "cifar10:/c=1"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range [][]string{{"shapes", "shapes"}, {"id=shapes"}, {"="}, {"a="}, {""}} {
		if _, err := ParseNamed(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestDueEpochs(t *testing.T) {
	s := Settings{CheckpointEvery: 3, Training: nn.TrainSettings{Epochs: 7}}
	var due []int
	for epoch := range 8 {
		if s.due(epoch) {
			due = append(due, epoch)
		}
	}
	if !reflect.DeepEqual(due, []int{0, 3, 6, 7}) {
		t.Errorf("due are %v", due)
	}
}

func TestLogIsCutBackToWholeLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, logFile)
	if err := os.WriteFile(path, []byte("{\"event\":\"a\"}\n{\"event\":\"a long line that a kill cut sho"), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.add("b", nil); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 2 || lines[0] != `{"event":"a"}` || !strings.Contains(lines[1], `"event":"b"`) || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("the log holds %q", text)
	}
}

func TestResultsAreReplacedInOrderAndCut(t *testing.T) {
	dir := t.TempDir()
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(epoch int, hash string) {
		t.Helper()
		row := &Row{Epoch: epoch, Checkpoint: hash, NC: &nc.Result{Epoch: &epoch, Checkpoint: &hash, Classes: 2, Cosines: []float64{1, float64(epoch), float64(epoch), 1}}}
		if err := r.Put(row); err != nil {
			t.Fatal(err)
		}
	}
	put(10, "c")
	put(0, "a")
	put(5, "old")
	put(5, "b")
	if !r.has(5, "b", false) || r.has(5, "old", false) || r.has(5, "b", true) || r.has(6, "b", false) {
		t.Error("Has does not go by epoch, weights and OOD rows")
	}
	again, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.cutAfter(5)
	if err := again.Write(); err != nil {
		t.Fatal(err)
	}
	if again, err = ReadResults(dir); err != nil {
		t.Fatal(err)
	}
	if len(again.NC) != 2 || *again.NC[0].Epoch != 0 || *again.NC[1].Checkpoint != "b" || len(again.cosines) != 2 || again.cosines[5].Values[1] != 5 {
		t.Errorf("after the cut: %d rows, cosines %v", len(again.NC), again.cosines)
	}
	if err := os.WriteFile(filepath.Join(dir, ncFile), []byte("[{}]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadResults(dir); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("a row without an epoch: %v", err)
	}
}

func TestChangedConfigIsRefused(t *testing.T) {
	s := Settings{Data: "shapes", Width: 4, Training: nn.NotebookSettings()}
	was, err := s.encoded()
	if err != nil {
		t.Fatal(err)
	}
	s.Analysis, s.OOD = &Analysis{}, []NamedSet{{"digits", "digits"}}
	if err := s.checkTrained(was); err != nil {
		t.Errorf("analysis that was added: %v", err)
	}
	s.Width = 8
	if err := s.checkTrained(was); err == nil {
		t.Error("another width is taken")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(`{"settings":{"widht":4}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(dir); err == nil || !strings.Contains(err.Error(), "widht") {
		t.Errorf("a misspelt setting: %v", err)
	}
}
