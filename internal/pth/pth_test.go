package pth

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
)

func opened(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// get walks down dicts by string keys.
func get(t *testing.T, v any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		d, ok := v.(*Dict)
		if !ok {
			t.Fatalf("%s of %s", key, kind(v))
		}
		if v, ok = d.Get(key); !ok {
			t.Fatalf("no %s among %v", key, d.Keys())
		}
	}
	return v
}

// Every element type, layout and plain value reads as PyTorch has it.
func TestReadsWhatTorchSaves(t *testing.T) {
	content, err := os.ReadFile("testdata/tensors.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Dims   []int
		Values []string
	}
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	root := opened(t, "testdata/tensors.pth").Root()
	tensors := get(t, root, "tensors").(*Dict)
	if tensors.Len() != len(want) || tensors.Len() != 10 {
		t.Errorf("%d tensors, want %d", tensors.Len(), len(want))
	}
	for _, key := range tensors.Keys() {
		name := key.(string)
		tensor := get(t, tensors, name).(*Tensor)
		w := want[name]
		if !slices.Equal(tensor.Dims, w.Dims) || tensor.Len() != len(w.Values) {
			t.Errorf("%s: size %v and %d elements, PyTorch has %v and %d", name, tensor.Dims, tensor.Len(), w.Dims, len(w.Values))
			continue
		}
		if tensor.DType == Int64 {
			got, err := tensor.Int64s()
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range w.Values {
				if strconv.FormatInt(got[i], 10) != text {
					t.Errorf("%s[%d] is %d, PyTorch has %s", name, i, got[i], text)
				}
			}
			continue
		}
		got, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range w.Values {
			v, err := strconv.ParseFloat(text, 32)
			if err != nil {
				t.Fatal(err)
			}
			if math.Float32bits(got[i]) != math.Float32bits(float32(v)) {
				t.Errorf("%s[%d] is %g, PyTorch has %s", name, i, got[i], text)
			}
		}
	}
	for key, value := range map[string]any{
		"none": nil, "true": true, "false": false, "negative": int64(-5), "small": int64(300), "large": int64(1 << 40), "minus": int64(-1 << 40), "float": 0.1, "text": "ü",
	} {
		if got := get(t, root, "plain", key); got != value {
			t.Errorf("%s is %v, PyTorch has %v", key, got, value)
		}
	}
	list := get(t, root, "list").(*List).Items
	if len(list) != 2 || list[0] != int64(1) || list[1].(*List).Items[0] != 2.5 {
		t.Errorf("list %v", list)
	}
	if one := get(t, root, "one").(Tuple); len(one) != 1 || one[0] != int64(1) {
		t.Errorf("tuple %v", one)
	}
	if module := get(t, root, "module").(*Dict); module.Len() != 1 { // _metadata is an attribute, not an entry
		t.Errorf("a module's state_dict has the keys %v", module.Keys())
	}
}

func TestWrongElementType(t *testing.T) {
	tensors := get(t, opened(t, "testdata/tensors.pth").Root(), "tensors")
	if _, err := get(t, tensors, "int64").(*Tensor).Float32s(); err == nil {
		t.Error("int64 read as floating point")
	}
	if _, err := get(t, tensors, "float32").(*Tensor).Int64s(); err == nil {
		t.Error("float32 read as int64")
	}
}

func TestNothingIsRun(t *testing.T) {
	const trace = "/tmp/nctrain-ran-a-pickle"
	if _, err := os.Stat(trace); err == nil {
		t.Fatalf("%s is there already", trace)
	}
	_, err := Open("testdata/code.pth")
	wantError(t, err, "testdata/code.pth: data.pkl: ", "a pickle with code", `"posix.system"`, "nothing is run", "state_dict()")
	if _, err := os.Stat(trace); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the pickle's code ran")
	}
}
