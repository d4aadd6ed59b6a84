package run

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/internal/npz"
	"nctrain/nn/data"
)

// A test set that does not say how many classes it has may lack images of the last; one with more than training has, or that says it has fewer, is refused.
func TestTestSetWithoutTheLastClass(t *testing.T) {
	path := func(name string) string { return filepath.Join(t.TempDir(), name) }
	write := func(name string, labels ...int64) string {
		file := path(name)
		if err := npz.Write(file, func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "images", make([]uint8, len(labels)*2*2*data.Channels), len(labels), 2, 2, data.Channels), npz.Put(w, "labels", labels))
		}); err != nil {
			t.Fatal(err)
		}
		return "npz:" + file
	}
	train, few, more := write("train.npz", 0, 1, 2, 2), write("few.npz", 0, 1), write("more.npz", 3)
	sets, err := openSets(&Settings{Data: train, Test: few})
	if err != nil || sets.Test.Classes != 3 || len(sets.Test.ClassNames) != 3 || sets.Test.Len() != 2 {
		t.Fatalf("test set %+v, %v", sets, err)
	}
	if sets.Records["test"].Classes != 3 {
		t.Errorf("recorded as %+v", sets.Records["test"])
	}
	said := path("said.npz") // with class names, so that it says how many
	set, err := data.Open(few, data.Test, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := data.WriteNPZ(said, set); err != nil {
		t.Fatal(err)
	}
	for _, test := range []string{more, "npz:" + said} {
		if _, err := openSets(&Settings{Data: train, Test: test}); err == nil || !strings.Contains(err.Error(), "the training set "+train+" has 3: name a test set with the same classes") {
			t.Errorf("%s: %v", test, err)
		}
	}
}
