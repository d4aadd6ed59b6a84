package npz

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func saved(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, method uint16, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		out, err := w.CreateHeader(&zip.FileHeader{Name: e[0], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func npyBytes(descr string, data string, shape ...int) string {
	return string(formatHeader(descr, shape)) + data
}

// fortranOrder says so in a header.
func fortranOrder(header string) string {
	return strings.Replace(strings.Replace(header, "False", "True", 1), "}", "} ", 1)
}

func TestOpenRefusesWithTheReason(t *testing.T) {
	golden, err := os.ReadFile("testdata/stored.npz")
	if err != nil {
		t.Fatal(err)
	}
	ok := npyBytes("|u1", "12345", 5)
	for _, c := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"empty", "f.npz", nil, "(0 bytes) is neither a .npz archive nor a .npy array, or was cut short"},
		{"text", "f.npz", []byte("epoch,lr\n"), "is neither a .npz archive nor a .npy array"},
		{"cut archive", "f.npz", golden[:len(golden)/2], "or was cut short: write it again"},
		{"cut array", "f.npy", []byte(ok[:len(ok)-2]), "f: uint8 [5] takes 5 bytes, the entry has 3: write it again"},
		{"long array", "f.npy", []byte(ok + "6"), "f: uint8 [5] takes 5 bytes, the entry has 6"},
		{"cut header", "f.npy", []byte(ok[:40]), "f: header: unexpected EOF"},
		{"torch.save", "f.pt", zipped(t, zip.Store, [2]string{"f/data.pkl", "\x80\x02"}, [2]string{"f/data/0", "1234"}), "is a file of torch.save, not of numpy.savez"},
		{"huge header", "f.npy", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), "f: a header of 4294967295 bytes"},
		{"no dictionary", "f.npy", []byte("\x93NUMPY\x01\x00\x02\x00{}"), "f: malformed header"},
		{"version 9", "f.npy", []byte("\x93NUMPY\x09\x00\x02\x00{}"), "NumPy format version 9"},
		{"overflow", "f.npy", []byte(npyBytes("<f8", "", 1<<40, 1<<40)), "f: impossible shape [1099511627776,1099511627776]"},
		{"overflow beside zero", "f.npy", []byte(npyBytes("<f8", "", 0, 1<<40, 1<<40)), "f: impossible shape"},
		{"negative", "f.npy", []byte(npyBytes("<f8", "", -1)), "f: impossible shape [-1]"},
		{"twice", "f.npz", zipped(t, zip.Store, [2]string{"x.npy", ok}, [2]string{"x.npy", ok}), "x: two arrays of this name: rename one"},
		{"not an array inside", "f.npz", zipped(t, zip.Deflate, [2]string{"x.npy", "hello, this is text"}), "x: does not start as a NumPy array"},
		{"three bytes inside", "f.npz", zipped(t, zip.Store, [2]string{"x.npy", ok[:3]}), "x: does not start as a NumPy array (unexpected EOF)"},
		{"cut before its length", "f.npy", []byte("\x93NUMPY\x02\x00\xff\xff\xff"), "f: header: unexpected EOF"},
		{"a type that is none", "f.npy", []byte("\x93NUMPY\x01\x00\x0d\x00{'descr': 5}\n"), "f: malformed header (invalid dictionary format)"},
		{"damaged entry", "f.npz", bytes.Replace(zipped(t, zip.Store, [2]string{"x.npy", ok}), []byte("PK\x03\x04"), []byte("PK\x03\x05"), 1), "x: zip: not a valid zip file"},
		{"short inside", "f.npz", zipped(t, zip.Deflate, [2]string{"x.npy", ok[:len(ok)-1]}), "x: uint8 [5] takes 5 bytes, the entry has 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := saved(t, c.file, c.content)
			f, err := Open(path)
			if err == nil {
				f.Close()
				t.Fatal("opened")
			}
			if !strings.HasPrefix(err.Error(), "npz: "+path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error\n%v, want\n%s", err, c.want)
			}
		})
	}
	if _, err := Open("/nonexistent/f.npz"); err == nil || err.Error() != "npz: open /nonexistent/f.npz: no such file or directory: check the path" {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), " is a directory: name a file") {
		t.Errorf("directory: %v", err)
	}
}

func TestReadRefusesWithTheReason(t *testing.T) {
	f := open(t, "testdata/stored.npz")
	for _, c := range []struct {
		read func() error
		want string
	}{
		{func() error { _, err := f.Float64s("int64"); return err }, "int64: is int64, floating-point numbers are wanted here: convert it with numpy's astype"},
		{func() error { _, err := f.Int64s("float32"); return err }, "float32: is float32, integers are wanted here"},
		{func() error { _, err := f.Uint8s("int8"); return err }, "int8: is int8, uint8 is wanted here"},
		{func() error { _, err := f.Int64s("empty"); return err }, "empty: is float32, integers are wanted here"},
		{func() error { _, err := f.Int64s("huge"); return err }, "huge: after row 0 of 2: value 9223372036854775808 is larger than an int64 holds"},
		{func() error { _, err := f.Float64s("text"); return err }, `text: elements of type "<U6" cannot be read`},
		{func() error { _, err := f.Rows("scalar"); return err }, "scalar: a scalar has no rows"},
		{func() error { _, err := f.Rows("absent"); return err }, "absent: no such array: the file holds bool bool [5,7], int8 int8 [5,7]"},
	} {
		err := c.read()
		if err == nil || !strings.HasPrefix(err.Error(), "npz: testdata/stored.npz: "+c.want) {
			t.Errorf("error\n%v, want\n%s", err, c.want)
		}
	}
}

// One flipped bit in the middle of the data is found by the archive's checksum, stored or compressed, in C and in Fortran order, small or too large to be unpacked in memory.
func TestFlippedBitIsFound(t *testing.T) {
	data := make([]byte, spoolBytes+chunkBytes) // zeros at its end
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3 * chunkBytes {
		data[i] = byte(rng.Uint32() % 50) // compressible, so that deflate really encodes it
	}
	damaged := func(content []byte, what string) {
		t.Helper()
		f := open(t, saved(t, "f.npz", content))
		if _, err := f.Uint8s("x"); err == nil || !strings.Contains(err.Error(), "x: after row") || !strings.HasSuffix(err.Error(), ": the file is damaged: copy or write it again") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	for _, c := range []struct {
		method uint16
		n      int
	}{{zip.Store, 3 * chunkBytes}, {zip.Deflate, 3 * chunkBytes}, {zip.Deflate, len(data)}} {
		header := npyBytes("|u1", "", c.n/2, 2)
		for _, header := range []string{header, fortranOrder(header)} {
			content := zipped(t, c.method, [2]string{"x.npy", header + string(data[:c.n])})
			content[len(content)/2] ^= 1
			damaged(content, fmt.Sprintf("method %d, %d bytes behind %q", c.method, c.n, header))
		}
	}
	damaged(claiming(t, npyBytes("|u1", "12345", 3), -2), "two bytes more than the archive says")
}

// Skipping over compressed rows that are not there is an error, as reading them is; and where a large one in Fortran order cannot be unpacked the way out is named.
func TestCompressedRowsThatCannotBeHad(t *testing.T) {
	short := claiming(t, npyBytes("|u1", "123", 5), 2)
	rows, err := open(t, saved(t, "f.npz", short)).Rows("x")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if err := rows.Skip(4); err == nil || !strings.Contains(err.Error(), "x: after row 0 of 5: unexpected EOF: the file is damaged") {
		t.Errorf("skipped: %v", err)
	}

	header := fortranOrder(npyBytes("|u1", "", spoolBytes, 2))
	f := open(t, saved(t, "f.npz", zipped(t, zip.Deflate, [2]string{"x.npy", header + strings.Repeat("0", 2*spoolBytes)})))
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if _, err := f.Uint8s("x"); err == nil || !strings.Contains(err.Error(), "there is no room to unpack it") || !strings.HasSuffix(err.Error(), "set TMPDIR") {
		t.Errorf("unpacked to nowhere: %v", err)
	}
}

// claiming is an archive of x.npy that says to hold so many bytes more than it does (less where negative): deflate's, in one block that is not compressed.
func claiming(t testing.TB, content string, more int64) []byte {
	t.Helper()
	n := uint16(len(content))
	block := append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte{1}, n), ^n), content...)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	out, err := w.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: zip.Deflate, CompressedSize64: uint64(len(block)), UncompressedSize64: uint64(int64(n) + more)})
	if err == nil {
		_, err = out.Write(block)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An entry that declares 64 GiB in a small file costs no such memory.
func TestDeclaredSizeIsNotAllocated(t *testing.T) {
	const claimed = 64 << 30
	_, err := Open(saved(t, "f.npz", claiming(t, npyBytes("|u1", "", claimed), claimed)))
	if err == nil || !strings.Contains(err.Error(), "more than deflate can hold") {
		t.Errorf("error %v", err)
	}
}

// FuzzOpen opens, lists and reads arbitrary bytes: no panic, no runaway allocation, and what can be read has its shape.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"loose.npy", "loose_fortran.npy", "version2.npy", "version3.npy"} {
		content, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte("\x93NUMPY\x01\x00\x02\x00{}"))
	small := [2]string{"x.npy", npyBytes("<f2", "12345678", 2, 2)} // small seeds: minimising large ones takes the fuzzer's time
	f.Add(zipped(f, zip.Store, small))
	f.Add(zipped(f, zip.Deflate, small))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		for _, a := range file.Arrays() {
			if got, err := file.Float64s(a.Name); err == nil && len(got) != a.Len() {
				t.Errorf("%v: %d elements", a, len(got))
			}
			if got, err := file.Int64s(a.Name); err == nil && len(got) != a.Len() {
				t.Errorf("%v: %d elements", a, len(got))
			}
			if r, err := file.Rows(a.Name); err == nil {
				if r.N*r.D != a.Len() {
					t.Errorf("%v: %d rows of %d", a, r.N, r.D)
				}
				r.Close()
			}
		}
	})
}
