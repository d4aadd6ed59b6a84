package npz

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func rangeOf[T Number](n int) []T {
	data := make([]T, n)
	for i := range data {
		data[i] = T(i)
	}
	return data
}

func put[T Number](t *testing.T, w *Writer, name string) {
	t.Helper()
	if err := Put(w, name, rangeOf[T](35), 5, 7); err != nil {
		t.Fatal(err)
	}
}

func writeAll(t *testing.T, path string) {
	t.Helper()
	err := Write(path, func(w *Writer) error {
		put[int8](t, w, "int8")
		put[int16](t, w, "int16")
		put[int32](t, w, "int32")
		put[int64](t, w, "int64")
		put[uint8](t, w, "uint8")
		put[uint16](t, w, "uint16")
		put[uint32](t, w, "uint32")
		put[uint64](t, w, "uint64")
		put[float32](t, w, "id/float32")
		put[float64](t, w, "id/float64")
		if err := Put(w, "empty", []float32{}, 0, 7); err != nil {
			return err
		}
		return Put(w, "meta", []byte(`{"epoch":10}`))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.npz")
	writeAll(t, path)
	f := open(t, path)
	if len(f.Arrays()) != 12 {
		t.Errorf("arrays %v", f.Arrays())
	}
	for _, a := range f.Arrays() {
		switch {
		case a.Name == "meta":
			if got, err := f.Uint8s("meta"); string(got) != `{"epoch":10}` || err != nil {
				t.Errorf("meta %q, %v", got, err)
			}
		case a.Name == "empty":
			if got, err := f.Float32s("empty"); len(got) != 0 || err != nil || a.String() != "empty float32 [0,7]" {
				t.Errorf("empty %v, %v", got, err)
			}
		case a.DType.IsFloat():
			if got, err := f.Float64s(a.Name); !slices.Equal(got, rangeOf[float64](35)) || err != nil {
				t.Errorf("%s %v, %v", a.Name, got, err)
			}
		default:
			if got, err := f.Int64s(a.Name); !slices.Equal(got, rangeOf[int64](35)) || err != nil {
				t.Errorf("%s %v, %v", a.Name, got, err)
			}
		}
	}
}

// A stream larger than one chunk, in pieces that fit no chunk.
func TestEntryInPieces(t *testing.T) {
	const n, d = 1000, 77
	path := filepath.Join(t.TempDir(), "f.npz")
	data := rangeOf[float32](n * d)
	err := Write(path, func(w *Writer) error {
		e, err := NewEntry[float32](w, "features", n, d)
		if err != nil {
			return err
		}
		for at := 0; at < n; at += 300 {
			if err := e.Append(data[at*d : min(at+300, n)*d]); err != nil {
				return err
			}
		}
		return e.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path).Float32s("features"); err != nil || !slices.Equal(got, data) {
		t.Errorf("%d elements, %v", len(got), err)
	}
}

// What we write as .npy is byte for byte what numpy.save wrote (testdata/make_golden.py).
func TestNPYBytesAreNumPys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.npy")
	ints := rangeOf[int64](35)
	for i := range ints {
		ints[i] -= 3
	}
	if err := WriteNPY(path, ints, 5, 7); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, path, "testdata/loose.npy")
	if err := WriteNPY(path, []float32{-3, -1.75, -0.5}); err != nil {
		t.Fatal(err)
	}
	sameBytes(t, path, "testdata/loose_vector.npy")
}

func sameBytes(t *testing.T, got, want string) {
	t.Helper()
	a, errA := os.ReadFile(got)
	b, errB := os.ReadFile(want)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%v %v: our %q, NumPy's %q", errA, errB, a, b)
	}
}

func TestSameArraysGiveTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.npz"), filepath.Join(dir, "b.npz")
	writeAll(t, a)
	writeAll(t, b)
	sameBytes(t, a, b)
}

func TestWriterErrorsLeaveNoFile(t *testing.T) {
	for want, fill := range map[string]func(w *Writer) error{
		"x: two arrays of this name": func(w *Writer) error {
			if err := Put(w, "x", []int8{1}); err != nil {
				return err
			}
			return Put(w, "x", []int8{1})
		},
		"x: 1 elements fewer than its shape takes": func(w *Writer) error { return Put(w, "x", []int8{1}, 2) },
		"x: 1 elements more than its shape takes":  func(w *Writer) error { return Put(w, "x", []int8{1, 2, 3}, 2) },
		"x: impossible shape [-1]":                 func(w *Writer) error { return Put(w, "x", []int8{}, -1) },
		"an array without a name":                  func(w *Writer) error { return Put(w, "", []int8{1}) },
		"y: close the array x first": func(w *Writer) error {
			if _, err := NewEntry[int8](w, "x", 1); err != nil {
				return err
			}
			return Put(w, "y", []int8{1})
		},
		"x: the array was not closed": func(w *Writer) error {
			_, err := NewEntry[int8](w, "x", 1)
			return err
		},
	} {
		dir := t.TempDir()
		err := Write(filepath.Join(dir, "f.npz"), fill)
		if err == nil || !strings.HasPrefix(err.Error(), "npz: write "+dir) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", want, left)
		}
	}
	if err := WriteNPY(filepath.Join(t.TempDir(), "f.npy"), []int8{1, 2}, 3); err == nil {
		t.Error("2 elements were written as shape [3]")
	}
	if err := WriteNPY(filepath.Join(t.TempDir(), "none", "f.npy"), []int8{1, 2}); err == nil || !strings.HasPrefix(err.Error(), "npz: ") {
		t.Errorf("a file in no directory: %v", err)
	}
}

// full is a disk with room for so many bytes.
type full int

var errFull = errors.New("the disk is full")

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A disk that fills up is told by what is written to it: an array that is longer than what is buffered does not seem written.
func TestFullDisk(t *testing.T) {
	data := make([]float32, chunkBytes)
	for room := range 4 {
		disk := full(room << 17)
		w := &Writer{zip: zip.NewWriter(&disk)}
		if err := Put(w, "x", data); !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), "x: ") {
			t.Errorf("room for %d of %d bytes: %v", room<<17, 4*len(data), err)
		}
	}
	if err := Put(&Writer{zip: zip.NewWriter(io.Discard)}, strings.Repeat("x", 1<<16), data); err == nil || !strings.HasPrefix(err.Error(), "xxx") {
		t.Errorf("a name of 65,536 bytes: %v", err)
	}
}

// numpy reads what we write, where there is a Python with numpy.
func TestNumPyReadsWhatWeWrite(t *testing.T) {
	python := pythonWithNumPy(t)
	path := filepath.Join(t.TempDir(), "f.npz")
	writeAll(t, path)
	const script = `
import sys, zipfile, numpy as np
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
f = np.load(sys.argv[1])
for name in f.files:
    a = f[name]
    if name == "meta": assert a.tobytes() == b'{"epoch":10}', a
    elif name == "empty": assert a.shape == (0, 7) and a.dtype == np.float32, a
    else:
        assert a.dtype == np.dtype(name.split("/")[-1]), (name, a.dtype)
        assert (a == np.arange(35).reshape(5, 7)).all(), (name, a)
print(len(f.files))`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "12" {
		t.Errorf("%v\n%s", err, out)
	}
}

func pythonWithNumPy(t *testing.T) string {
	t.Helper()
	for _, python := range []string{os.Getenv("NCTRAIN_PYTHON"), "python3"} {
		if python != "" && exec.Command(python, "-c", "import numpy").Run() == nil {
			return python
		}
	}
	t.Skip("no Python with numpy (set NCTRAIN_PYTHON to one)")
	return ""
}
