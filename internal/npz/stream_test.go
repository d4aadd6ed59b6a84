package npz

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every kind of array gives, after Skip, the rows that it gives there when it is read from the start.
func TestSkipGivesTheRowsThatFollow(t *testing.T) {
	for _, path := range []string{"testdata/stored.npz", "testdata/deflated.npz", "testdata/loose_fortran.npy", "testdata/loose.npy"} {
		f := open(t, path)
		for _, a := range f.Arrays() {
			if !a.DType.IsFloat() || len(a.Shape) == 0 || a.Shape[0] == 0 {
				continue
			}
			whole, err := f.Float64s(a.Name)
			if err != nil {
				t.Fatal(err)
			}
			for from := range a.Shape[0] + 1 {
				r, err := f.Rows(a.Name)
				if err != nil {
					t.Fatal(err)
				}
				d, first := r.D, min(from, 1) // the first row is read, so that Skip starts in the middle
				got := make([]float64, len(whole))
				if first > 0 {
					if _, err := r.Float64(got[:d]); err != nil {
						t.Fatal(err)
					}
				}
				if err := r.Skip(from - first); err != nil {
					t.Fatal(err)
				}
				n, err := r.Float64(got)
				if from == a.Shape[0] {
					if err != io.EOF {
						t.Errorf("%s %v: behind the last row: %d rows, %v", path, a, n, err)
					}
				} else if err != nil || n != a.Shape[0]-from || !equalNaN(got[:n*d], whole[from*d:]) {
					t.Errorf("%s %v from row %d: %d rows, %v", path, a, from, n, err)
				}
				r.Close()
			}
		}
	}
}

func equalNaN(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || (x != x && y != y) })
}

// fortranBytes is an .npy of uint8 [n,d] in Fortran order whose element (i,j) is i + 3j.
func fortranBytes(n, d int) string {
	data := make([]byte, n*d)
	for j := range d {
		for i := range n {
			data[j*n+i] = byte(i + 3*j)
		}
	}
	header := strings.Replace(string(formatHeader("|u1", []int{n, d})), "False", "True", 1)
	return strings.Replace(header, "\n", " \n", 1) + string(data)
}

// More than a window of rows, loose, stored and compressed beyond what is unpacked in memory.
func TestFortranOrderIsReadInWindows(t *testing.T) {
	const n, d = 1<<20 + 3, 17
	content := fortranBytes(n, d)
	if len(content) <= windowBytes || len(content) <= spoolBytes {
		t.Fatal("the array is no larger than a window")
	}
	t.Setenv("TMPDIR", t.TempDir())
	for name, file := range map[string][]byte{
		"x.npy": []byte(content), "stored.npz": zipped(t, zip.Store, [2]string{"x.npy", content}), "packed.npz": zipped(t, zip.Deflate, [2]string{"x.npy", content}),
	} {
		f := open(t, saved(t, name, file))
		r, err := f.Rows("x")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Skip(5); err != nil {
			t.Fatal(err)
		}
		block := make([]uint8, 1000*d)
		for at := 5; at < n; {
			k, err := r.Uint8(block)
			if err != nil {
				t.Fatalf("%s: row %d: %v", name, at, err)
			}
			for i := range k {
				for j := range d {
					if want := byte(at + i + 3*j); block[i*d+j] != want {
						t.Fatalf("%s: [%d,%d] is %d, want %d", name, at+i, j, block[i*d+j], want)
					}
				}
			}
			at += k
		}
		r.Close()
		// From the middle of one window into the next.
		if r, err = f.Rows("x"); err != nil {
			t.Fatal(err)
		}
		_, err = r.Uint8(block)
		const last = n - 7
		if err = errors.Join(err, r.Skip(last-len(block)/d)); err != nil {
			t.Fatal(err)
		}
		if k, err := r.Uint8(block); err != nil || k != n-last || block[d+1] != byte((last+1+3)%256) {
			t.Errorf("%s: %d rows from row %d on, the second has %d, %v", name, k, last, block[d+1], err)
		}
		r.Close()
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The checksum of a stored array in Fortran order is held when it is read from the start.
func TestFlippedBitIsFoundInFortranOrder(t *testing.T) {
	content := zipped(t, zip.Store, [2]string{"x.npy", fortranBytes(3000, 3)})
	content[len(content)/2] ^= 1
	f := open(t, saved(t, "f.npz", content))
	if _, err := f.Uint8s("x"); err == nil || !errors.Is(err, zip.ErrChecksum) {
		t.Errorf("error %v", err)
	}
}

// A file that shrinks while it is mapped is an error: the fault must not end the process.
func TestFileThatShrinksIsAnError(t *testing.T) {
	const n = 1 << 20
	path := saved(t, "x.npy", []byte(npyBytes("|u1", strings.Repeat("x", n), n)))
	f := open(t, path)
	if f.mapped == nil {
		t.Skip("files are not mapped here")
	}
	r, err := f.Rows("x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(path, n/2); err != nil {
		t.Fatal(err)
	}
	if _, err = r.Uint8(make([]uint8, n)); err == nil || !strings.Contains(err.Error(), path+": x: after row 0 of 1048576: the file was cut off while it was read") {
		t.Errorf("error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Uint8(make([]uint8, n)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOpenRawHoldsArraysAgainstTheFile(t *testing.T) {
	content := binary.LittleEndian.AppendUint16([]byte("head"), 0x3fc0) // 1.5 as bfloat16
	content = append(content, 0xc0, 0x7f)                               // NaN
	path := filepath.Join(t.TempDir(), "f.raw")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(raws ...Raw) (*File, error) {
		return OpenRaw("raw", path, func(io.ReaderAt, int64) ([]Raw, error) { return raws, nil })
	}
	f, err := at(Raw{Info{Name: "x", DType: BFloat16, Shape: []int{2}}, 4})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if x, err := f.Float64s("x"); err != nil || !equalNaN(x, []float64{1.5, math.NaN()}) {
		t.Errorf("%v, %v", x, err)
	}
	if x, err := f.Float32s("x"); err != nil || x[0] != 1.5 {
		t.Errorf("%v, %v", x, err)
	}
	for want, raw := range map[string]Raw{
		"bfloat16 [3] takes 6 bytes from offset 4, the file ends at 8: it was cut short": {Info{Name: "x", DType: BFloat16, Shape: []int{3}}, 4},
		"takes 2 bytes from offset 99": {Info{Name: "x", DType: BFloat16, Shape: []int{1}}, 99},
		"impossible shape [-1]":        {Info{Name: "x", DType: Uint8, Shape: []int{-1}}, 0},
	} {
		if _, err := at(raw); err == nil || !strings.HasPrefix(err.Error(), "raw: "+path+": x: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
