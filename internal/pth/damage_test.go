package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wantError asserts one line that says the parts in their order.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	rest := err.Error()
	if strings.Contains(rest, "\n") {
		t.Errorf("more than one line: %q", rest)
	}
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("%q does not say %q there", err, part)
			return
		}
		rest = after
	}
}

// archive zips entries under a/, stored.
func archive(t testing.TB, method uint16, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		out, err := w.CreateHeader(&zip.FileHeader{Name: "a/" + entries[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func integer(n int) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// reference is the pickle of storage 0, of four float32.
var reference = "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(4) + "tQ"

const rebuild = "ctorch._utils\n_rebuild_tensor_v2\n"

// tensor is the pickle of a tensor of one dimension in storage 0, of n float32.
func tensor(n, offset, size, stride int) string { return rebuild + view(n, offset, size, stride) + "R" }

// view is the tuple that tensor is made of.
func view(n, offset, size, stride int) string {
	return "(" + "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(n) + "tQ" +
		integer(offset) + integer(size) + "\x85" + integer(stride) + "\x85" + "\x89" + "ccollections\nOrderedDict\n)R" + "t"
}

const proto = "\x80\x02"

// pickled is a .pth of one pickle and one storage of 16 bytes.
func pickled(t testing.TB, program string) []byte {
	return archive(t, zip.Store, "data.pkl", program, "data/0", "0123456789abcdef")
}

func openBytes(t testing.TB, content []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.pth")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err == nil {
		f.Close()
	}
	return err
}

func TestOpenRefusesWithTheReason(t *testing.T) {
	golden, err := os.ReadFile("testdata/tensors.pth")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := os.ReadFile("testdata/legacy.pth")
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Replace(golden, []byte("float32"), []byte("float23"), 1)
	if err := openBytes(t, pickled(t, proto+tensor(4, 0, 4, 1)+".")); err != nil {
		t.Fatalf("the whole of what is damaged below: %v", err)
	}
	for _, c := range []struct {
		name    string
		content []byte
		says    string
	}{
		{"empty", nil, "0 bytes that are no whole archive of torch.save"},
		{"thirteen bytes", []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50"), "13 bytes that are no whole archive"},
		{"cut short", golden[:len(golden)/2], "no whole archive of torch.save"},
		{"changed", flipped, "checksum error: it was changed or damaged after it was saved"},
		{"legacy", legacy, "before PyTorch 1.6: save it again, torch.save(torch.load(F, weights_only=True), F2)"},
		{"other archive", archive(t, zip.Store, "notes.txt", "hello"), "no data.pkl in the archive"},
		{"TorchScript", archive(t, zip.Store, "data.pkl", "", "constants.pkl", ""), "is a TorchScript program"},
		{"compressed", archive(t, zip.Deflate, "data.pkl", proto+"N."), "is compressed"},
		{"big endian", archive(t, zip.Store, "data.pkl", proto+"N.", "byteorder", "big"), `byteorder "big"`},
		{"two pickles", archive(t, zip.Store, "data.pkl", "", "b/data.pkl", ""), "two entries data.pkl"},
		{"two storages", archive(t, zip.Store, "data.pkl", "", "data/0", "", "data/0", ""), `two entries "data/0"`},
		{"huge pickle", archive(t, zip.Store, "data.pkl", strings.Repeat("N", maxPickleBytes+1)), "at most 4194304 are read"},
		{"no program", pickled(t, ""), "ends at byte 0"},
		{"no stop", pickled(t, proto+"N"), "ends at byte 3"},
		{"bytes left over", pickled(t, proto+"N.N"), "1 values and 1 bytes left over"},
		{"nothing left", pickled(t, proto+"."), "0 values"},
		{"open mark", pickled(t, proto+"N(."), "left over"},
		{"opcode", pickled(t, proto+"i"), "byte 2: opcode 0x69 is none"},
		{"protocol", pickled(t, "\x80\x04N."), "pickle protocol 4"},
		{"string length", pickled(t, proto+"X\xff\xff\xff\xffab"), "a string of 4294967295 bytes where 2 are left"},
		{"not UTF-8", pickled(t, proto+"X\x01\x00\x00\x00\xff."), "not UTF-8"},
		{"integer", pickled(t, proto+"\x8a\x09123456789."), "an integer of 9 bytes"},
		{"underflow", pickled(t, proto+"\x85."), "takes more from the stack"},
		{"under the mark", pickled(t, proto+"N(\x85."), "takes more from the stack"},
		{"no mark", pickled(t, proto+"Nt."), "takes more from the stack"},
		{"list without mark", pickled(t, proto+"]e."), "takes more from the stack"},
		{"dict without mark", pickled(t, proto+"}u."), "takes more from the stack"},
		{"dict alone", pickled(t, proto+"}s."), "takes more from the stack"},
		{"memo", pickled(t, proto+"h\x05."), "recalls value 5, which was never stored"},
		{"append", pickled(t, proto+"}Na."), "appends to a dict"},
		{"odd items", pickled(t, proto+"}(Nu."), "sets 1 keys and values"},
		{"key", pickled(t, proto+"}]Ns."), "a key that is neither string nor integer (a list)"},
		{"key twice", pickled(t, proto+"}(K\x01NK\x01Nu."), `the key "1" twice`},
		{"attributes", pickled(t, proto+"]}b."), "sets attributes of a list"},
		{"name without end", pickled(t, proto+"cos"), "a name without an end"},
		{"numpy scalar", pickled(t, proto+"cnumpy._core.multiarray\nscalar\n."), `it names "numpy._core.multiarray.scalar"`},
		{"other class", pickled(t, proto+"ctorch\nIntStorage\n."), `it names "torch.IntStorage"`},
		{"call of no function", pickled(t, proto+"N)R."), "calls None"},
		{"call of a storage", pickled(t, proto+"ctorch\nFloatStorage\n)R."), `calls a global ("torch.FloatStorage")`},
		{"reference", pickled(t, proto+"NQ."), "a reference that is not to a storage"},
		{"storage of no class", pickled(t, proto+"("+text("storage")+text("FloatStorage")+text("0")+text("cpu")+integer(4)+"tQ."), "a storage of (a string"},
		{"storage of a function", pickled(t, proto+"("+text("storage")+"ccollections\nOrderedDict\n"+text("0")+text("cpu")+integer(4)+"tQ."), "a storage of ("},
		{"storage of no key", pickled(t, proto+"("+text("storage")+"ctorch\nFloatStorage\n"+integer(0)+text("cpu")+integer(4)+"tQ."), "a storage of ("},
		{"storage of no size", pickled(t, proto+"("+text("storage")+"ctorch\nFloatStorage\n"+text("0")+text("cpu")+text("4")+"tQ."), "a storage of ("},
		{"tensor of no storage", pickled(t, proto+rebuild+"("+text("0")+integer(0)+integer(4)+"\x85"+integer(1)+"\x85"+"\x89NtR."), "a tensor without storage, offset, size and stride"},
		{"tensor of no offset", pickled(t, proto+rebuild+"("+reference+text("0")+integer(4)+"\x85"+integer(1)+"\x85"+"\x89NtR."), "a tensor without storage, offset, size and stride"},
		{"tensor of no size", pickled(t, proto+rebuild+"("+reference+integer(0)+integer(4)+integer(1)+"\x85"+"\x89NtR."), "a tensor without storage, offset, size and stride"},
		{"tensor of no stride", pickled(t, proto+rebuild+"("+reference+integer(0)+integer(4)+"\x85"+integer(1)+"\x89NtR."), "a tensor without storage, offset, size and stride"},
		{"size beside two strides", pickled(t, proto+rebuild+"("+reference+integer(0)+integer(4)+"\x85"+integer(1)+integer(1)+"\x86"+"\x89NtR."), "a tensor without storage, offset, size and stride"},
		{"parameter of nothing", pickled(t, proto+"ctorch._utils\n_rebuild_parameter\n)R."), "not a call that torch.save writes"},
		{"parameter of no tensor", pickled(t, proto+"ctorch._utils\n_rebuild_parameter\nN\x85R."), "not a call that torch.save writes"},
		{"storage size", pickled(t, proto+tensor(5, 0, 4, 1)+"."), "a storage of 5 float32 elements, data/0 holds 16 bytes"},
		{"storage size overflow", pickled(t, proto+tensor(1<<62, 0, 4, 1)+"."), "a storage of 4611686018427387904 float32 elements"},
		{"storage missing", archive(t, zip.Store, "data.pkl", proto+tensor(4, 0, 4, 1)+"."), "data/0 is not in the archive"},
		{"size", pickled(t, proto+tensor(4, 0, 5, 1)+"."), "does not lie within its storage of 4 elements"},
		{"size overflow", pickled(t, proto+tensor(4, 0, 1<<62, 4)+"."), "does not lie within its storage"},
		{"stride", pickled(t, proto+tensor(4, 0, 2, 4)+"."), "does not lie within its storage"},
		{"stride overflow", pickled(t, proto+tensor(4, 0, 3, 1<<62)+"."), "does not lie within its storage"},
		{"negative stride", pickled(t, proto+tensor(4, 3, 4, -1)+"."), "does not lie within its storage"},
		{"offset", pickled(t, proto+tensor(4, 1, 4, 1)+"."), "does not lie within its storage"},
		{"negative offset", pickled(t, proto+tensor(4, -1, 1, 1)+"."), "does not lie within its storage"},
		{"many tensors of one storage", pickled(t, proto+"]("+rebuild+"q\x01"+view(4, 0, 4, 1)+"q\x02R"+strings.Repeat("h\x01h\x02R", 200)+"e."), "tensors claim more bytes than the file's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, openBytes(t, c.content), "f.pth: ", c.says)
		})
	}
	if _, err := Open("/nonexistent/f.pth"); err == nil || err.Error() != "pth: open /nonexistent/f.pth: no such file or directory: check the path" {
		t.Errorf("missing file: %v", err)
	}
}

// A pickle that ends anywhere before its end is refused there, whatever instruction it breaks off in; and so is every instruction that finds nothing on the stack.
func TestEveryInstructionNeedsWhatItTakes(t *testing.T) {
	golden, err := Open("testdata/tensors.pth")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	program, err := golden.content(golden.entries["data.pkl"])
	if err != nil {
		t.Fatal(err)
	}
	for n := range program {
		if _, err := newMachine(program[:n], golden).run(); err == nil || !(strings.Contains(err.Error(), "it was cut short") || strings.Contains(err.Error(), "without an end") || strings.Contains(err.Error(), "where")) {
			t.Errorf("%d of %d bytes: %v", n, len(program), err)
		}
	}
	arguments := strings.Repeat("\x01", 8)
	for op := range opcodes {
		for n := range len(arguments) {
			cut := proto + string([]byte{op}) + arguments[:n]
			if _, err := newMachine([]byte(cut), golden).run(); err == nil {
				t.Errorf("opcode %#x and %d bytes: no error", op, n)
			}
		}
	}
	for _, op := range []byte("t\x85\x86\x87aesuqrQRb") {
		if _, err := newMachine([]byte(proto+string([]byte{op})+arguments), golden).run(); err == nil || !strings.Contains(err.Error(), errUnderflow.Error()) {
			t.Errorf("opcode %#x on an empty stack: %v", op, err)
		}
	}
}

// Damage that only reading finds is told where it is read; a directory is told to be one.
func TestDamageIsToldWhereItIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.pth")
	whole := pickled(t, proto+tensor(4, 0, 4, 1)+".")
	if err := os.WriteFile(path, bytes.Replace(whole, []byte("0123456789abcdef"), []byte("0123456789abcdeF"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Root().(*Tensor).Float32s()
	wantError(t, err, "pth: "+path, `"data/0"`, "damaged after it was saved")

	wantError(t, openBytes(t, bytes.Replace(archive(t, zip.Store, "byteorder", "little", "data.pkl", proto+"N."), []byte("little"), []byte("middle"), 1)),
		`"byteorder"`, "damaged after it was saved")
	headless := bytes.Replace(whole, []byte("PK\x03\x04"), []byte("PK\x03\x05"), 1)
	wantError(t, openBytes(t, headless), `"data.pkl": zip: not a valid zip file`)
	_, err = Open(t.TempDir())
	wantError(t, err, "pth: ", "is a directory")
}

// walk reads every tensor that can be reached, once. Tuples within tuples can hold each other's exponentially often, so they go no deeper than torch.save's.
func walk(t *testing.T, v any, seen map[any]bool) {
	switch v := v.(type) {
	case Tuple:
		for _, item := range v {
			if _, nested := item.(Tuple); !nested {
				walk(t, item, seen)
			}
		}
	case *List:
		if !seen[v] {
			seen[v] = true
			walk(t, Tuple(v.Items), seen)
		}
	case *Dict:
		if !seen[v] {
			seen[v] = true
			for _, key := range v.Keys() {
				item, _ := v.Get(key)
				walk(t, item, seen)
			}
		}
	case *Tensor:
		if seen[v] {
			return
		}
		seen[v] = true
		n := 1
		for _, d := range v.Dims {
			n *= d
		}
		if n != v.Len() {
			t.Errorf("%v has %d elements", v.Dims, v.Len())
		}
		if v.DType == Int64 {
			_, _ = v.Int64s() // a damaged storage is an error, not a panic
		} else {
			_, _ = v.Float32s()
		}
	}
}

func fuzzOne(t *testing.T, content []byte) {
	path := filepath.Join(t.TempDir(), "f.pth")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
		return
	}
	defer f.Close()
	walk(t, f.Root(), map[any]bool{})
}

// FuzzFile damages the archive.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"tensors.pth", "legacy.pth", "code.pth"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add(pickled(f, proto+tensor(4, 0, 4, 1)+"."))
	f.Fuzz(fuzzOne)
}

// FuzzPickle damages the pickle, which in a damaged archive no checksum lets through.
func FuzzPickle(f *testing.F) {
	golden, err := Open("testdata/tensors.pth")
	if err != nil {
		f.Fatal(err)
	}
	program, err := golden.content(golden.entries["data.pkl"])
	if err != nil {
		f.Fatal(err)
	}
	golden.Close()
	f.Add(program)
	f.Add([]byte(proto + tensor(4, 0, 4, 1) + "."))
	f.Add([]byte(proto + "]q\x00h\x00a.")) // a list that holds itself
	f.Fuzz(func(t *testing.T, program []byte) { fuzzOne(t, pickled(t, string(program))) })
}
