package data

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nctrain/internal/npz"
)

func writeNPZ(t testing.TB, fill func(w *npz.Writer) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.npz")
	if err := npz.Write(path, fill); err != nil {
		t.Fatal(err)
	}
	return path
}

// imagesAndLabels writes n images [n,h,w,3] and labels, whatever they are.
func imagesAndLabels[T npz.Number](shape []int, labels []T, labelShape ...int) func(w *npz.Writer) error {
	return func(w *npz.Writer) error {
		size := 1
		for _, d := range shape {
			size *= d
		}
		pixels := make([]uint8, size)
		for i := range pixels {
			pixels[i] = uint8(i)
		}
		if err := npz.Put(w, "images", pixels, shape...); err != nil {
			return err
		}
		return npz.Put(w, "labels", labels, labelShape...)
	}
}

func TestNPZServesItsOneSplitWhateverIsAsked(t *testing.T) {
	path := writeNPZ(t, imagesAndLabels([]int{4, 2, 5, 3}, []uint8{2, 0, 2, 1}))
	for _, split := range []string{Train, Test} {
		s := mustOpen(t, "npz:"+path, split, Options{})
		if !s.OneSplit || s.Len() != 4 || s.H != 2 || s.W != 5 || s.Classes != 3 || !slices.Equal(s.Labels, []int32{2, 0, 2, 1}) {
			t.Errorf("%s: %+v", split, s)
		}
		if im := s.Image(3); im[0] != 90 || len(im) != 30 {
			t.Errorf("%s: image 3 starts %v", split, im[:3])
		}
	}
	if s := mustOpen(t, "npz:"+path, Train, Options{Limit: 2}); s.Len() != 2 || len(s.Images) != 60 {
		t.Errorf("limit 2 gives %d images", s.Len())
	}
}

// TestNPZHasTheClassesOfTheWholeFile: a limit on a file sorted by class must not make the network a smaller one.
func TestNPZHasTheClassesOfTheWholeFile(t *testing.T) {
	path := writeNPZ(t, imagesAndLabels([]int{4, 2, 5, 3}, []uint8{0, 0, 1, 2}))
	if s := mustOpen(t, "npz:"+path, Train, Options{Limit: 2}); s.Classes != 3 || !slices.Equal(s.ClassNames, []string{"0", "1", "2"}) || !slices.Equal(s.Labels, []int32{0, 0}) {
		t.Errorf("limit 2 gives %d classes %v, labels %v", s.Classes, s.ClassNames, s.Labels)
	}
}

func TestNPZRefusesWithTheWayOut(t *testing.T) {
	const wanted = "images must be uint8 [N,H,W,3] and labels integers [N]"
	for _, c := range []struct {
		name string
		fill func(w *npz.Writer) error
		want string
	}{
		{"no labels", func(w *npz.Writer) error { return npz.Put(w, "images", make([]uint8, 12), 1, 2, 2, 3) }, "no array labels (it holds [images uint8 [1,2,2,3]]): " + wanted},
		{"no images", func(w *npz.Writer) error { return npz.Put(w, "labels", []int64{0}) }, "no array images (it holds [labels int64 [1]]): " + wanted},
		{"floats", func(w *npz.Writer) error {
			if err := npz.Put(w, "images", make([]float32, 12), 1, 2, 2, 3); err != nil {
				return err
			}
			return npz.Put(w, "labels", []int64{0})
		}, "images float32 [1,2,2,3]: " + wanted},
		{"channels first", imagesAndLabels([]int{1, 3, 2, 2}, []int64{0}), "images uint8 [1,3,2,2] has its channels first: transpose(0, 2, 3, 1) it"},
		{"grey", imagesAndLabels([]int{1, 2, 2}, []int64{0}), "images uint8 [1,2,2]: " + wanted},
		{"counts", imagesAndLabels([]int{2, 2, 2, 3}, []int64{0}), "images uint8 [2,2,2,3] but labels int64 [1]: one label an image"},
		{"label shape", imagesAndLabels([]int{1, 2, 2, 3}, []int64{0}, 1, 1), "labels int64 [1,1]: " + wanted},
		{"label type", imagesAndLabels([]int{1, 2, 2, 3}, []float64{0}), "labels float64 [1]: " + wanted},
		{"negative label", imagesAndLabels([]int{2, 2, 2, 3}, []int64{0, -1}), "labels: label -1 of image 1: classes are numbered from 0, at most 100,000 of them"},
		{"huge label", imagesAndLabels([]int{1, 2, 2, 3}, []int64{1 << 40}), "label 1099511627776 of image 0"},
		{"no pixels", imagesAndLabels([]int{0, 2, 2, 3}, []int64{}), "no images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeNPZ(t, c.fill)
			_, err := Open("npz:"+path, Train, Options{})
			if err == nil || !strings.HasPrefix(err.Error(), "data: "+path+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error\n%v, want\n%s", err, c.want)
			}
		})
	}
	if _, err := Open("npz:/nonexistent/f.npz", Train, Options{}); err == nil || err.Error() != "data: npz: open /nonexistent/f.npz: no such file or directory: check the path" {
		t.Errorf("missing: %v", err)
	}
}

func TestWriteNPZRoundTrip(t *testing.T) {
	from := mustOpen(t, "shapes", Test, Options{Limit: 13})
	path := filepath.Join(t.TempDir(), "shapes.npz")
	if err := WriteNPZ(path, from); err != nil {
		t.Fatal(err)
	}
	to := mustOpen(t, "npz:"+path, Test, Options{})
	if !slices.Equal(from.Images, to.Images) || !slices.Equal(from.Labels, to.Labels) || !slices.Equal(from.ClassNames, to.ClassNames) || to.Classes != 10 {
		t.Errorf("read back %d images, %v", to.Len(), to.ClassNames)
	}
	if err := WriteNPZ("/nonexistent/f.npz", from); err == nil || !strings.Contains(err.Error(), "create the directory /nonexistent first") {
		t.Errorf("error %v", err)
	}
}

func TestNPZMetaWithTooFewNames(t *testing.T) {
	path := writeNPZ(t, func(w *npz.Writer) error {
		if err := npz.Put(w, "meta", []byte(`{"class_names":["a"]}`)); err != nil {
			return err
		}
		return imagesAndLabels([]int{1, 2, 2, 3}, []int64{1})(w)
	})
	if _, err := Open("npz:"+path, Train, Options{}); err == nil || !strings.Contains(err.Error(), "meta: 1 class names, but label 1 occurs") {
		t.Errorf("error %v", err)
	}
}

// FuzzNPZ opens arbitrary bytes as the archive; what is accepted must be consistent.
func FuzzNPZ(f *testing.F) {
	path := writeNPZ(f, imagesAndLabels([]int{2, 1, 2, 3}, []uint8{1, 0}))
	f.Add(fileContent(f, path))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := Open("npz:"+saved(t, "f.npz", content), Train, Options{})
		if err != nil {
			return
		}
		if err := s.check("fuzzed"); err != nil {
			t.Error(err)
		}
	})
}
