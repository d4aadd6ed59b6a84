package run

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"nctrain/internal/npz"
	"nctrain/nn/data"
)

// blank writes an npz set of black images with these labels.
func blank(t *testing.T, side int, labels ...int64) (spec string) {
	t.Helper()
	file, n := filepath.Join(t.TempDir(), "set.npz"), len(labels)
	if err := npz.Write(file, func(w *npz.Writer) error {
		return errors.Join(npz.Put(w, "images", make([]uint8, n*side*side*data.Channels), n, side, side, data.Channels), npz.Put(w, "labels", labels))
	}); err != nil {
		t.Fatal(err)
	}
	return "npz:" + file
}

// Every set that cannot be opened or has images of another size is named.
func TestSetsThatDoNotFitAreNamed(t *testing.T) {
	train, large := blank(t, 2, 0, 1, 1), blank(t, 4, 0, 1)
	const gone = "npz:/nonexistent/set.npz"
	for _, c := range []struct {
		settings Settings
		want     string
	}{
		{Settings{Data: gone}, "/nonexistent/set.npz"},
		{Settings{Data: train, Test: gone}, "/nonexistent/set.npz"},
		{Settings{Data: train, OOD: []NamedSet{{"gone", gone}}}, "/nonexistent/set.npz"},
		{Settings{Data: train, Test: large}, large + ": images of 4x4 pixels"},
		{Settings{Data: train, OOD: []NamedSet{{"large", large}}}, large + ": images of 4x4 pixels"},
	} {
		if _, err := openSets(&c.settings); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.settings, err, c.want)
		}
	}
}

// A test set that does not say how many classes it has may lack images of the last; one with more than training has, or that says it has fewer, is refused.
func TestTestSetWithoutTheLastClass(t *testing.T) {
	train, few, more := blank(t, 2, 0, 1, 2, 2), blank(t, 2, 0, 1), blank(t, 2, 3)
	sets, err := openSets(&Settings{Data: train, Test: few})
	if err != nil || sets.Test.Classes != 3 || len(sets.Test.ClassNames) != 3 || sets.Test.Len() != 2 {
		t.Fatalf("test set %+v, %v", sets, err)
	}
	if sets.Records["test"].Classes != 3 {
		t.Errorf("recorded as %+v", sets.Records["test"])
	}
	said := filepath.Join(t.TempDir(), "said.npz") // with class names, so that it says how many
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
