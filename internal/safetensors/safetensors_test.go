package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nctrain/internal/npz"
	"nctrain/internal/safetensors"
)

const golden = "testdata/features.safetensors" // by testdata/make_golden.py

func TestReadsWhatPyTorchWrites(t *testing.T) {
	f, metadata, err := safetensors.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff(map[string]string{"checkpoint": "abc", "epoch": "7"}, metadata); diff != "" {
		t.Error(diff)
	}
	want := map[string]npz.DType{"float32": npz.Float32, "float16": npz.Float16, "bfloat16": npz.BFloat16, "float64": npz.Float64, "int64": npz.Int64, "int32": npz.Int32,
		"scalar": npz.Float32, "empty": npz.Float32}
	if len(f.Arrays()) != len(want) {
		t.Errorf("holds %v", f.Arrays())
	}
	for name, dtype := range want {
		info, ok := f.Info(name)
		if !ok || info.DType != dtype {
			t.Errorf("%s is %v", name, info)
			continue
		}
		var got []float64
		var ints []int64
		if dtype.IsFloat() {
			got, err = f.Float64s(name)
		} else {
			ints, err = f.Int64s(name)
			for _, v := range ints {
				got = append(got, float64(v))
			}
		}
		if err != nil || len(got) != info.Len() {
			t.Errorf("%s: %d elements, %v", name, len(got), err)
		}
		for i, v := range got {
			// Multiples of 1/4 up to 40 have at most 8 bits: exact in bfloat16 too.
			want := float64(i-3) * 1.25
			if dtype.IsInteger() {
				want = math.Trunc(want)
			}
			if v != want {
				t.Errorf("%s: element %d is %v, want %v", name, i, v, want)
			}
		}
	}
	// Rows from the third on are read without those before.
	r, err := f.Rows("bfloat16")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	row := make([]float64, 7)
	if err := r.Skip(3); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Float64(row); err != nil || row[0] != 18*1.25 {
		t.Errorf("row 3 begins with %v, %v", row[0], err)
	}
}

// file is a header in front of data.
func file(header, data string) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestOpenRefusesWithTheReason(t *testing.T) {
	whole, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	const ok = `{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":         {nil, "hold no length of a header"},
		"text":          {[]byte("f0,f1,label\n1,2,0\n"), "do not hold the header of"},
		"cut header":    {whole[:50], "do not hold the header of"},
		"short header":  {append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "the file's 10 bytes do not hold the header of 3 bytes"},
		"cut data":      {whole[:len(whole)-1], "are outside the file's"},
		"no JSON":       {file("{", ""), "header: "},
		"not an object": {file("[]", ""), "header: "},
		"other type":    {file(`{"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}`, "12"), "F8_E4M3"},
		"wrong size":    {file(strings.Replace(ok, "[2]", "[3]", 1), "12345678"), "x: F32 [3] takes 12 bytes, the header gives it 8"},
		"backwards":     {file(strings.Replace(ok, "[0,8]", "[8,0]", 1), "12345678"), "x: its bytes 8..0 are outside"},
		"overflow":      {file(strings.Replace(ok, "[2]", "[4611686018427387904,4611686018427387904]", 1), "12345678"), "x: impossible shape"},
		"overflow to 8": {file(strings.Replace(ok, "[2]", "[2,9223372036854775809]", 1), "12345678"), "x: impossible shape"}, // 2 (2^63 + 1) = 2 (mod 2^64)
		"no elements":   {file(`{"x":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}`, ""), "x: impossible shape"},
		"outside":       {file(strings.Replace(ok, "[0,8]", "[8,16]", 1), "12345678"), "x: its bytes 8..16 are outside"},
		"overlap":       {file(`{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "123"), "y: begins at byte"},
		"hole":          {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "123"), "y: begins at byte"},
		"rest":          {file(ok, "123456789"), "of the file's"},
		"twice":         {file(ok[:len(ok)-1]+","+ok[1:], "12345678"), `two entries are named "x"`},
		"metadata":      {file(`{"__metadata__":{"a":1}}`, ""), "header: __metadata__: "},
		"two objects":   {file(ok+"{}", "12345678"), "it goes on after its object"},
		"no shape":      {file(strings.Replace(ok, `"shape":[2],`, "", 1), "12345678"), "x: the header does not give"},
		"one offset":    {file(strings.Replace(ok, "[0,8]", "[0]", 1), "12345678"), "x: the header does not give"},
		"other key":     {file(strings.Replace(ok, "{\"dtype", "{\"type\":0,\"dtype", 1), "12345678"), "header: x: "},
		"negative":      {file(strings.Replace(ok, "[2]", "[-2]", 1), "12345678"), "header: x: "},
		"huge":          {file(strings.Replace(ok, "[2]", "[0,18446744073709551615]", 1), "12345678"), "x: impossible shape"},
		"huge header":   {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "do not hold the header of 18446744073709551615 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "f.safetensors")
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		f, _, err := safetensors.Open(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "safetensors: "+path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error\n%v, want\n%s", name, err, c.want)
		}
	}
	if _, _, err := safetensors.Open("/nonexistent/f"); err == nil || !strings.Contains(err.Error(), "/nonexistent/f") || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("missing file: %v", err)
	}
}

// What Write writes is read back, a scalar and a tensor without elements too.
func TestWriteRoundTrip(t *testing.T) {
	var out bytes.Buffer
	tensors := []safetensors.Tensor{{Name: "b", DType: "I16", Shape: []int{2, 1}, Data: []byte("1234")}, {Name: "a", DType: "F32", Shape: []int{}, Data: []byte("5678")},
		{Name: "empty", DType: "F64", Shape: []int{0, 3}}}
	if err := safetensors.Write(&out, tensors, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	located, metadata, err := safetensors.ReadHeader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(located) != len(tensors) || metadata["k"] != "v" {
		t.Fatalf("%v, metadata %v, %v", located, metadata, err)
	}
	for _, want := range tensors {
		at := slices.IndexFunc(located, func(raw npz.Raw) bool { return raw.Name == want.Name })
		if at < 0 {
			t.Fatalf("%s is not among %v", want.Name, located)
		}
		got := located[at]
		if data := out.Bytes()[got.Offset:]; got.Descr != want.DType || !slices.Equal(got.Shape, want.Shape) || string(data[:len(want.Data)]) != string(want.Data) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if err := safetensors.Write(&out, []safetensors.Tensor{{Name: "x", DType: "F31"}}, nil); err == nil || !strings.Contains(err.Error(), "x: ") {
		t.Errorf("unknown type: %v", err)
	}
}

// FuzzOpen opens arbitrary bytes and reads what they claim to hold: no panic, no runaway allocation, and what can be read has its shape.
func FuzzOpen(f *testing.F) {
	f.Add(file(`{"x":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"__metadata__":{"a":"b"}}`, "1234"))
	f.Add(file(`{"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"y":{"dtype":"F64","shape":[0,3],"data_offsets":[8,8]}}`, "12345678"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, _, err := safetensors.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		for _, a := range file.Arrays() {
			if a.Len()*a.DType.Size() > len(content) {
				t.Errorf("%v in a file of %d bytes", a, len(content))
			}
			if got, err := file.Float64s(a.Name); err == nil && len(got) != a.Len() {
				t.Errorf("%v: %d elements", a, len(got))
			}
			if got, err := file.Int64s(a.Name); err == nil && len(got) != a.Len() {
				t.Errorf("%v: %d elements", a, len(got))
			}
		}
	})
}
