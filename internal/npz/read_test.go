package npz

import (
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
)

// element is the value of flat index i in testdata/make_golden.py.
func element(d DType, i int) float64 {
	switch {
	case d == Bool:
		return float64(i % 2)
	case d.IsFloat():
		return float64(i-3) + float64(i)/4
	case d <= Int64:
		return float64(i - 3)
	}
	return float64(i)
}

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestReadsWhatNumPyWrites(t *testing.T) {
	for _, path := range []string{"testdata/stored.npz", "testdata/deflated.npz", "testdata/loose_fortran.npy",
		"testdata/loose.npy", "testdata/version2.npy", "testdata/version3.npy"} {
		f := open(t, path)
		if len(f.Arrays()) == 0 {
			t.Errorf("%s: no arrays", path)
		}
		for _, a := range f.Arrays() {
			t.Run(path+"/"+a.Name, func(t *testing.T) {
				if a.DType == Other || a.Name == "huge" || a.Name == "halves" {
					return // below
				}
				var got []float64
				var err error
				if a.DType.IsFloat() {
					got, err = f.Float64s(a.Name)
				} else {
					var ints []int64
					ints, err = f.Int64s(a.Name)
					for _, v := range ints {
						got = append(got, float64(v))
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != a.Len() {
					t.Fatalf("%d elements, want %d", len(got), a.Len())
				}
				for i, v := range got {
					if v != element(a.DType, i) {
						t.Fatalf("element %d is %v, want %v", i, v, element(a.DType, i))
					}
				}
			})
		}
	}
}

func TestArraysAreListedAsNumPySeesThem(t *testing.T) {
	f := open(t, "testdata/stored.npz")
	for name, want := range map[string]string{
		"float16":         "float16 float16 [5,7]",
		"big/float32":     "big/float32 float32 [5,7]",
		"fortran/float32": "fortran/float32 float32 [5,7]",
		"scalar":          "scalar float64 []",
		"empty":           "empty float32 [0,7]",
		"text":            "text <U6 [2]",
	} {
		a, ok := f.Info(name)
		if !ok || a.String() != want || name+" "+a.Form() != want || a.Fortran != (name == "fortran/float32") {
			t.Errorf("%s: %v fortran=%v, want %s", name, a, a.Fortran, want)
		}
	}
	if a, ok := f.Info("absent"); ok || a.Form() != "no such array" {
		t.Errorf("an absent array was found: %s", a.Form())
	}
}

// Blocks of every size deliver the same rows, in C and in Fortran order, compressed or not.
func TestRowsInBlocks(t *testing.T) {
	for _, path := range []string{"testdata/stored.npz", "testdata/deflated.npz"} {
		f := open(t, path)
		for _, name := range []string{"float16", "float32", "float64", "big/float32", "fortran/float32"} {
			for block := 1; block <= 6; block++ {
				r, err := f.Rows(name)
				if err != nil {
					t.Fatal(err)
				}
				if r.N != 5 || r.D != 7 {
					t.Fatalf("%s: %d rows of %d", name, r.N, r.D)
				}
				next := 0
				dst := make([]float64, block*r.D+3) // the odd rest is no whole row and stays untouched
				for {
					n, err := r.Float64(dst)
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range dst[:n*r.D] {
						if want := element(Float32, next); v != want {
							t.Fatalf("%s block %d: element %d is %v, want %v", name, block, next, v, want)
						}
						next++
					}
				}
				if next != 35 {
					t.Errorf("%s block %d: %d elements", name, block, next)
				}
				r.Close()
			}
		}
	}
}

func TestImagesAreRowsOfAllTheirBytes(t *testing.T) {
	f := open(t, "testdata/deflated.npz")
	for _, name := range []string{"images", "fortran/uint8"} {
		r, err := f.Rows(name)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]uint8, r.N*r.D)
		if n, err := r.Uint8(got); n != 2 || r.D != 36 || err != nil {
			t.Fatalf("%s: %d rows of %d, %v", name, n, r.D, err)
		}
		for i, v := range got {
			if int(v) != i {
				t.Fatalf("%s: byte %d is %d", name, i, v)
			}
		}
		r.Close()
	}
}

func TestFloat32IsExactOrRefused(t *testing.T) {
	f := open(t, "testdata/stored.npz")
	for _, name := range []string{"float16", "float32"} {
		got, err := f.Float32s(name)
		if err != nil || len(got) != 35 || got[9] != float32(element(Float32, 9)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := f.Float32s("float64"); err == nil {
		t.Error("float64 was rounded to float32 silently")
	}
}

func TestSubnormalAndInfiniteHalves(t *testing.T) {
	got, err := open(t, "testdata/stored.npz").Float64s("halves")
	want := []float64{0, math.Copysign(0, -1), 0x1p-24, -0x3ffp-24, 0x1p-14, 1, 65504, math.Inf(1), math.Inf(-1), math.NaN()}
	if err != nil || !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestReadingOneArrayFromSeveralGoroutines(t *testing.T) {
	f := open(t, "testdata/deflated.npz")
	done := make(chan error)
	for range 8 {
		go func() {
			got, err := f.Float64s("float64")
			if err == nil && got[34] != element(Float64, 34) {
				err = fmt.Errorf("last element %v", got[34])
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
