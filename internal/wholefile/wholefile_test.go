package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onlyFiles asserts that dir holds exactly the named files: no temporary file was left.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.bin")
	for _, content := range []string{"first, and longer", "second"} {
		if err := WriteBytes(path, 0o640, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("read %q, %v, want %q", got, err, content)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if group := info.Mode().Perm() & 0o717; group != 0o600 {
		t.Errorf("mode %v, want 0640 before umask", info.Mode())
	}
	onlyFiles(t, dir, "f.bin")
}

// A link stays one, whatever it points at; what it points at is written.
func TestLinksAreFollowed(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target, link := filepath.Join(elsewhere, "f.bin"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o644), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Check(link), WriteBytes(link, 0o644, []byte("new"))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "new" {
		t.Errorf("behind the link: %q, %v", got, err)
	}
	if to, err := os.Readlink(link); err != nil || to != target {
		t.Errorf("the link points at %q, %v", to, err)
	}
	onlyFiles(t, dir, "link")
	onlyFiles(t, elsewhere, "f.bin")

	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"Write": WriteBytes(link, 0o644, []byte("new")), "Check": Check(link)} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "link to nothing") || !strings.Contains(err.Error(), link) {
			t.Errorf("%s through a link to nothing: %v", name, err)
		}
	}
}

// A pipe gets the bytes and stays a pipe.
func TestPipesAreWrittenThrough(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	got := make(chan string)
	go func() {
		text, err := os.ReadFile(path)
		got <- fmt.Sprint(string(text), err)
	}()
	if err := errors.Join(Check(path), WriteBytes(path, 0o644, []byte("through"))); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "through<nil>" {
		t.Errorf("the reader got %q", text)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("it is no pipe any more: %v, %v", info, err)
	}
}

// What a file that the shell has opened holds already stays before what is written to its name under /proc.
func TestOpenFilesAreAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stdout")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	name := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skip("no /proc here:", err)
	}
	if _, err := file.WriteString("a table, "); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Check(name), WriteBytes(name, 0o644, []byte("and JSON"))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a table, and JSON" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// Check finds what Write would, and leaves nothing.
func TestCheckSaysWhatWriteWould(t *testing.T) {
	dir := t.TempDir()
	if err := Check(filepath.Join(dir, "f.bin")); err != nil {
		t.Error(err)
	}
	onlyFiles(t, dir)
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "f.bin"): "create the directory " + filepath.Join(dir, "missing"),
		dir:                                    "a directory has this name",
	} {
		if err := Check(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestReadersSeeTheOldFileUntilTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.bin")
	if err := WriteBytes(path, 0o644, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := Write(path, 0o644, func(w io.Writer) error {
		// More than the buffer, so that bytes have reached the file system.
		if _, err := w.Write(make([]byte, 3*bufferBytes)); err != nil {
			return err
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("while writing: %d bytes, %v, want the old file", len(got), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 3*bufferBytes {
		t.Errorf("after writing: %v, %v", info, err)
	}
}

func TestFailingFillLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.bin")
	if err := WriteBytes(path, 0o644, []byte("old")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("the network diverged")
	err := Write(path, 0o644, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 2*bufferBytes)); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want it to wrap %v and to name %s", err, boom, path)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content %q, want the old one", got)
	}
	onlyFiles(t, dir, "f.bin")
}

func TestPanickingFillLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not pass through")
			}
		}()
		_ = Write(filepath.Join(dir, "f.bin"), 0o644, func(io.Writer) error { panic("bug") })
	}()
	onlyFiles(t, dir)
}

func TestAnotherFilesErrorKeepsItsName(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source.npz")
	err := Write(filepath.Join(dir, "f.bin"), 0o644, func(io.Writer) error {
		_, err := os.ReadFile(source)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), source) {
		t.Errorf("error %v does not name the file that failed", err)
	}
}

func TestErrorsNameThePathAndTheWayOut(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing", "f.bin")
	for _, c := range []struct {
		name, path, want string
	}{
		{"missing directory", missing, "write " + missing + ": no such file or directory: create the directory " + filepath.Dir(missing) + " first"},
		{"directory of no files", "/proc/f.bin", "write /proc/f.bin: no such file or directory: no file can be made there: choose another directory"},
		{"name of a directory", taken, "write " + taken + ": file exists: a directory has this name: choose another name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Dir(c.path)); err != nil && filepath.Dir(c.path) == "/proc" {
				t.Skip("no /proc here")
			}
			err := WriteBytes(c.path, 0o644, []byte("x"))
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n%v, want\n%v", err, c.want)
			}
		})
	}
	onlyFiles(t, dir, "taken")
}

func TestUnwritableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root writes anywhere; the message is covered by TestDescribe")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	err := WriteBytes(filepath.Join(dir, "f.bin"), 0o644, []byte("x"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "make "+dir+" writable") {
		t.Errorf("error %v", err)
	}
}

func TestDescribe(t *testing.T) {
	const path = "/runs/a/f.npz"
	temporary := "/runs/a/.f.npz1234"
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: temporary, Err: syscall.EACCES}, "write /runs/a/f.npz: permission denied: make /runs/a writable or choose another directory"},
		{&fs.PathError{Op: "write", Path: temporary, Err: syscall.ENOSPC}, "write /runs/a/f.npz: no space left on device: free some space there or choose another directory"},
		{&fs.PathError{Op: "open", Path: temporary, Err: syscall.EROFS}, "write /runs/a/f.npz: read-only file system: the file system is mounted read-only: choose another directory"},
		{io.ErrShortWrite, "write /runs/a/f.npz: short write"},
	} {
		got := describe(path, c.err)
		if got.Error() != c.want || strings.Contains(got.Error(), temporary) {
			t.Errorf("%v:\n%v, want\n%v", c.err, got, c.want)
		}
	}
}

// A full disk: a tmpfs of 64 KiB, which only root can mount.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small tmpfs to fill (%v); the message is covered by TestDescribe", err)
	}
	defer syscall.Unmount(dir, 0)
	path := filepath.Join(dir, "f.bin")
	if err := WriteBytes(path, 0o644, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := WriteBytes(path, 0o644, make([]byte, 1<<20))
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "write "+path+": ") {
		t.Errorf("error %v, want no space left, with the path", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content %q, want the old one", got)
	}
	onlyFiles(t, dir, "f.bin")
}

func TestSweepTakesTemporaryFilesOfItsNamesAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".a.json123", ".a.json9223372036854775807", "a.json", "a.json123", ".a.json", ".b.json123", ".123"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".a.json5"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, func(name string) bool { return name == "a.json" }); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, dir, ".123", ".a.json", ".a.json5", ".b.json123", "a.json", "a.json123")
}

// TestFullDevice: what is written through fails as a file does, whether the device says so at once or when the last of it goes out.
func TestFullDevice(t *testing.T) {
	const path = "/dev/full"
	if info, err := os.Stat(path); err != nil || info.Mode().Type()&os.ModeCharDevice == 0 {
		t.Skip("no device /dev/full here")
	}
	for _, size := range []int{1, 1 << 22} {
		for name, err := range map[string]error{
			"Write": Write(path, 0o644, func(w io.Writer) error { _, err := w.Write(make([]byte, size)); return err }), "WriteBytes": WriteBytes(path, 0o644, make([]byte, size)),
		} {
			if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "write "+path+": ") {
				t.Errorf("%s of %d bytes: %v", name, size, err)
			}
		}
	}
}
