package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/internal/npz"
	"nctrain/nn"
)

// cifarRecord is a CIFAR-100 record of one label.
func cifarRecord(label byte) []byte { return append([]byte{0, label}, make([]byte, 3072)...) }

// cifarArchive packs train.bin and test.bin as the official archive does.
func cifarArchive(t *testing.T, path string, train, test []byte) {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tape := tar.NewWriter(zipped)
	for name, content := range map[string][]byte{"train.bin": train, "test.bin": test} {
		if err := tape.WriteHeader(&tar.Header{Name: "cifar-100-binary/" + name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tape.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each thing that can be wrong gives one line that names it, its exit status, and leaves no run directory behind.
func TestErrorsAreOneLineAndLeaveNothing(t *testing.T) {
	tmp := t.TempDir()
	at := func(name string) string { return filepath.Join(tmp, name) }
	noise := make([]byte, 40*3074) // that gzip cannot shrink, so that a cut archive loses images
	for i := range noise {
		noise[i] = byte(i * i * 2654435761 >> 13)
		if i%3074 < 2 {
			noise[i] = 0
		}
	}
	cifarArchive(t, at("whole.tar.gz"), noise, noise)
	whole := read(t, at("whole.tar.gz"))
	write := func(name string, content []byte) {
		if err := os.WriteFile(at(name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cut.tar.gz", whole[:len(whole)/3])
	cifarArchive(t, at("label.tar.gz"), cifarRecord(100), cifarRecord(0))
	images := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		err := npz.Write(at(name), func(w *npz.Writer) error {
			if err := npz.Put(w, "images", make([]uint8, n), shape...); err != nil {
				return err
			}
			return npz.Put(w, "labels", make([]int64, shape[0]))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	images("chw.npz", 4, 3, 32, 32)
	images("odd.npz", 4, 30, 30, 3)
	write("file", nil)
	if err := os.Mkdir(at("full"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("full/notes.txt", nil)
	if err := os.Mkdir(at("svhn"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"train/ant", "train/cat", "test/ant", "test/bee"} {
		if err := os.MkdirAll(at("folder/"+class), 0o755); err != nil {
			t.Fatal(err)
		}
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
			t.Fatal(err)
		}
		write("folder/"+class+"/0.png", picture.Bytes())
	}

	out := at("run")
	shapes := []string{"--data", "shapes", "--limit", "20", "--width", "2", "--epochs", "1", "--batch-size", "10"}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   []string // in this order
	}{
		{"truncated archive", []string{"train", "--data", "cifar100:" + at("cut.tar.gz"), "--out", out}, exitFailed, []string{"data: ", "cut.tar.gz"}},
		{"label out of range", []string{"train", "--data", "cifar100:" + at("label.tar.gz"), "--out", out}, exitFailed, []string{"data: ", "label.tar.gz", "label 100"}},
		{"channels first", []string{"train", "--data", "npz:" + at("chw.npz"), "--out", out}, exitFailed, []string{"data: ", "chw.npz", "channels first", "transpose"}},
		{"size of images", []string{"train", "--data", "npz:" + at("odd.npz"), "--out", out}, exitFailed, []string{"odd.npz", "30x30"}},
		{"OOD set of another size", append([]string{"run", "--ood", "npz:" + at("odd.npz"), "--out", out}, shapes...), exitFailed, []string{"data: ", "odd.npz", "30x30", "32x32"}},
		{"test classes of other names", []string{"train", "--data", "folder:" + at("folder"), "--out", out}, exitFailed, []string{"data: ", "folder", "class 1 is bee", "it is cat", "same classes"}},
		{"no split of SVHN", []string{"train", "--data", "svhn:" + at("svhn"), "--out", out}, exitFailed, []string{"data: ", "svhn/train_32x32.mat", "no such file", "name a .mat file"}},
		{"missing file", []string{"train", "--data", "npz:" + at("nowhere.npz"), "--out", out}, exitFailed, []string{"data: ", "nowhere.npz", "no such file"}},
		{"unknown set", []string{"train", "--data", "imagenet", "--out", out}, exitFailed, []string{"data: ", "imagenet", "shapes"}},
		{"directory under a file", append([]string{"train", "--out", at("file/run")}, shapes...), exitFailed, []string{"run: ", "file/run", "not a directory", "choose another"}},
		{"directory that is not empty", append([]string{"train", "--out", at("full")}, shapes...), exitFailed, []string{"run: ", "full", "not empty", "notes.txt", "--out"}},
		{"overwriting what is no run", append([]string{"train", "--overwrite", "--out", at("full")}, shapes...), exitFailed, []string{"run: ", "full", "not empty"}},
		{"no training set", []string{"run", "--out", out}, exitUsage, []string{"--data is missing", "--data shapes"}},
		{"no directory", []string{"run", "--data", "shapes"}, exitUsage, []string{"--out is missing"}},
		{"unknown variant", append([]string{"train", "--variant", "conv_fprop=fast", "--out", out}, shapes...), exitUsage, []string{"variant", "conv_fprop=fast", "direct"}},
		{"unknown operation", append([]string{"train", "--variant", "conv=direct", "--out", out}, shapes...), exitUsage, []string{"variant", "conv=direct", "kernels list"}},
		{"precision", append([]string{"train", "--precision", "tf32", "--out", out}, shapes...), exitUsage, []string{"--precision tf32", "trains in fp32 alone"}},
		{"precision of tests", append([]string{"train", "--precision", "fp64", "--out", out}, shapes...), exitUsage, []string{"--precision fp64", "one of fp32, tf32, bf16", "kernels check"}},
		{"batch of more images than memory", []string{"bench", "train-step", "--width", "8", "--batch", "100000000"}, exitFailed, []string{"--batch 100000000", "out of device memory", "a smaller batch or width"}},
		{"batch beyond all numbers", []string{"bench", "infer", "--batch", "9000000000000000000"}, exitFailed, []string{"out of device memory"}},
		{"no CUDA", append([]string{"train", "--device", "cuda", "--out", out}, shapes...), exitFailed, []string{"device: cuda", "--device cpu"}},
		{"unknown device", append([]string{"train", "--device", "tpu", "--out", out}, shapes...), exitUsage, []string{"--device tpu"}},
		{"threshold that is no number", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--val", "d", "--threshold-at", "nan"}, exitUsage, []string{"--threshold-at NaN", "less than 1"}},
		{"threshold without val", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--threshold-at", "0.95"}, exitUsage, []string{"--threshold-at", "--val"}},
		{"parameter of no score", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--param", "knn.q=3"}, exitUsage, []string{"--param", "knn.q"}},
		{"epochs", append(append([]string{"train", "--out", out}, shapes...), "--epochs", "0"), exitUsage, []string{"--epochs 0"}},
		{"not a number", []string{"train", "--lr", "fast"}, exitUsage, []string{"train: ", "fast", "--help"}},
		{"unknown flag", []string{"run", "--colour"}, exitUsage, []string{"run: ", "unknown flag: --colour (nctrain run --help"}},
		{"misspelt flag", []string{"run", "--epoch", "2"}, exitUsage, []string{"unknown flag: --epoch: did you mean --epochs? ("}},
		{"flag of another command", []string{"kernels", "bench", "--batch-size", "2"}, exitUsage, []string{"unknown flag: --batch-size: did you mean --batch? ("}},
		{"unknown command", []string{"runn"}, exitUsage, []string{"\"runn\"", "did you mean run? ("}},
		{"unknown subcommand", []string{"kernels", "banch"}, exitUsage, []string{"banch", "did you mean bench? ("}},
		{"argument too many", []string{"run", "shapes"}, exitUsage, []string{"shapes"}},
		{"two OOD sets of a name", append([]string{"run", "--ood", "digits,digits", "--out", out}, shapes...), exitUsage, []string{"--ood", "digits", "NAME="}},
		{"unknown score", append([]string{"run", "--ood", "digits", "--scores", "guess", "--out", out}, shapes...), exitUsage, []string{"--scores", "guess", "msp"}},
		{"resume nothing", []string{"run", "--no-report", "--resume", at("nowhere")}, exitFailed, []string{"run: ", "nowhere", "no such file", "earlier run"}},
		{"resume with settings", []string{"run", "--no-report", "--resume", at("nowhere"), "--lr", "1"}, exitUsage, []string{"--resume", "--lr"}},
		{"nc without input", []string{"nc"}, exitUsage, []string{"--features", "--head", "--run"}},
		{"features of no file", []string{"features", "--checkpoint", at("file"), "--data", "shapes", "--out", at("f.npz")}, exitFailed, []string{"weights: ", "file"}},
		{"unknown preset", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--preset", "openood"}, exitUsage, []string{"--preset", "openood-cifar10, openood-cifar100"}},
		{"score without input", []string{"score", "--detector", "d.npz"}, exitUsage, []string{"--detector", "--features", "ood --save"}},
		{"scores to no format", []string{"score", "--detector", "d.npz", "--features", "f.npz", "--out", at("s.txt")}, exitUsage, []string{"--out", "s.txt", ".csv or .npz"}},
		{"detectors of no file", []string{"score", "--detector", at("nowhere.npz"), "--features", "f.npz"}, exitFailed, []string{"nowhere.npz", "no such file"}},
		{"head for detectors", []string{"score", "--detector", at("chw.npz"), "--features", "f.npz"}, exitFailed, []string{"chw.npz", "weight"}},
		{"output to no directory", append([]string{"train", "--out", out, "--json", at("nowhere/h.json")}, shapes...), exitFailed, []string{"--json", "nowhere/h.json", "create the directory"}},
		{"output to a directory", append([]string{"train", "--out", out, "--trace", at("full")}, shapes...), exitFailed, []string{"--trace", "full", "another name"}},
		{"output over input", []string{"nc", "--features", at("chw.npz"), "--head", at("odd.npz"), "--json", at("full/../odd.npz")}, exitUsage, []string{"--json", "odd.npz", "--head", "another file"}},
		{"output over one of several inputs", []string{"ood", "--id", "a", "--head", "b", "--ood", "far=c," + "near=" + at("odd.npz"), "--csv", at("odd.npz")}, exitUsage, []string{"--csv", "odd.npz", "--ood"}},
		{"output over a shard", []string{"nc", "--features", at("*.npz"), "--head", "b", "--json", at("odd.npz")}, exitUsage, []string{"--json", "odd.npz", "--features"}},
		{"output over an argument", []string{"stats", "--merge", at("odd.npz"), "--out", at("odd.npz")}, exitUsage, []string{"--out", "odd.npz"}},
		{"two outputs in one", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--json", at("f.npz"), "--save", at("f.npz")}, exitUsage, []string{"--json", "--save", "f.npz"}},
		{"too few replicates", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--bootstrap", "39"}, exitUsage, []string{"--bootstrap 39", "40"}},
		{"baseline without intervals", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--baseline", "energy"}, exitUsage, []string{"--baseline energy", "--bootstrap"}},
		{"parameter of a score not chosen", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--param", "knn.k=5"}, exitUsage, []string{"--param", "knn.k", "not among the chosen"}},
		{"no scores", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--scores", ""}, exitUsage, []string{"--scores", "names nothing"}},
		{"no scores of a run", append([]string{"run", "--ood", "digits", "--scores", "", "--out", out}, shapes...), exitUsage, []string{"--scores", "names nothing"}},
		{"detectors under another extension", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--save", at("d.txt")}, exitUsage, []string{"--save", "d.txt", "name it .npz"}},
		{"statistics under another extension", []string{"stats", "--features", "a", "--out", at("x.txt")}, exitUsage, []string{"--out", "x.txt", "name it .npz"}},
		{"ood parameter", []string{"ood", "--id", "a", "--head", "b", "--ood", "c", "--param", "vim=3"}, exitUsage, []string{"--param vim=3", "vim.dim=64"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, status := call(test.args...)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, stderr)
			}
			wantLine(t, stderr, test.says...)
			for _, name := range []string{"run", "f.npz", "full/.lock"} {
				if _, err := os.Stat(at(name)); err == nil {
					t.Errorf("%s was left behind", name)
				}
			}
		})
	}
}

// wantLine asserts one line of error that says the given words in their order.
func wantLine(t *testing.T, stderr string, says ...string) {
	t.Helper()
	if !strings.HasPrefix(stderr, "nctrain: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("not one line of error: %q", stderr)
	}
	rest := stderr
	for _, part := range says {
		i := strings.Index(rest, part)
		if i < 0 {
			t.Errorf("%q does not say %q there", stderr, part)
			return
		}
		rest = rest[i+len(part):]
	}
}

func TestNaNLossStopsAndTheLastGoodStateStands(t *testing.T) {
	for _, test := range []struct {
		flags []string
		says  string
	}{
		{[]string{"--batch-size", "4"}, "the loss of step"},
		{[]string{"--batch-size", "30"}, "the test loss"}, // overflows in eval mode first
	} {
		dir := filepath.Join(t.TempDir(), "run")
		_, stderr, status := call(append(append([]string{"run", "--no-report"}, tiny(dir, "--lr", "1e5", "--no-augment")...), test.flags...)...)
		if status != exitFailed {
			t.Errorf("status %d", status)
		}
		wantLine(t, stderr, "run: ", dir, "epoch 1", test.says, "not finite", "--lr", "last good state stands")
		state, warning, err := nn.LoadState(dir)
		if err != nil || warning != "" || state.Progress.Step != 0 {
			t.Errorf("state of step %d: %v %s", state.Progress.Step, err, warning)
		}
		wholeFiles(t, dir)
	}
}

func TestSecondProcessAndSecondRunAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	must(t, append([]string{"train"}, tiny(dir)...)...)
	before := filesIn(t, dir)
	_, stderr, status := call(append([]string{"train"}, tiny(dir)...)...)
	if status != exitFailed {
		t.Errorf("a second run in one directory: status %d", status)
	}
	wantLine(t, stderr, "run: ", dir, "holds a run already", "--resume", "--overwrite")

	locked, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"train", "--resume", dir}, append([]string{"train"}, tiny(dir)...), append([]string{"train", "--overwrite"}, tiny(dir)...)} {
		_, stderr, status = call(args...)
		if status != exitFailed {
			t.Errorf("%v beside another process: status %d", args, status)
		}
		wantLine(t, stderr, "run: ", dir, "another nctrain", "works on it")
	}
	if err := locked.Close(); err != nil {
		t.Fatal(err)
	}
	if after := filesIn(t, dir); !slices.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	must(t, append([]string{"train", "--overwrite"}, tiny(dir)...)...)
	must(t, "train", "--resume", dir)
}

// TestHalfFilesOfAKilledProcess: what kill -9 leaves of a write, under the name that the write gives it, goes with the next process and is in nobody's way.
func TestHalfFilesOfAKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	leave := func(names ...string) {
		for _, name := range names {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("half"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	leave(".lock", ".config.json123") // killed before there was a run
	must(t, append([]string{"train"}, tiny(dir)...)...)
	wholeFiles(t, dir)
	for _, args := range [][]string{{"train", "--resume", dir}, append([]string{"train", "--overwrite"}, tiny(dir)...)} {
		leave(".history.csv1", ".nc.json123", ".report.html4", "state/.last.safetensors5", "checkpoints/.epoch_0001.safetensors6", "thumbs/.train.png7")
		must(t, args...)
		wholeFiles(t, dir)
	}
}

// TestOverwriteRefusesBeforeItRemoves: a run beside files of somebody else is refused whole, not removed first.
func TestOverwriteRefusesBeforeItRemoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	must(t, append([]string{"train"}, tiny(dir)...)...)
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := filesIn(t, dir)
	_, stderr, status := call(append([]string{"train", "--overwrite"}, tiny(dir)...)...)
	if status != exitFailed {
		t.Errorf("status %d", status)
	}
	wantLine(t, stderr, "run: ", dir, "notes.txt", "--out")
	if after := filesIn(t, dir); !slices.Equal(before, after) {
		t.Errorf("files were %v, are %v", before, after)
	}
	must(t, "train", "--resume", dir)
}

// wholeFiles asserts that every file of a run directory can be read whole and no temporary file is left.
func wholeFiles(t *testing.T, dir string) {
	t.Helper()
	for _, name := range filesIn(t, dir) {
		path := filepath.Join(dir, name)
		var err error
		switch filepath.Ext(name) {
		case ".safetensors":
			if strings.HasPrefix(name, "checkpoints") {
				_, _, err = nn.LoadWeights(path)
			}
		case ".npz":
			var f *npz.File
			if f, err = npz.Open(path); err == nil {
				f.Close()
			}
		case ".json":
			var any any
			decode(t, read(t, path), &any)
		case ".jsonl", ".csv":
			if text := read(t, path); len(text) > 0 && text[len(text)-1] != '\n' {
				t.Errorf("%s ends in half a line", name)
			}
		case ".png":
		default:
			t.Errorf("%s was left behind", name)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if _, _, err := nn.LoadState(dir); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("nctrain-test", disk, "tmpfs", 0, "size=1600k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "run")
	args := append([]string{"run", "--no-report"}, tiny(dir, "--ood", "digits", "--epochs", "4")...)
	_, stderr, status := call(args...)
	if status != exitFailed {
		t.Fatalf("status %d on a full disk: %s", status, stderr)
	}
	wantLine(t, stderr, dir, "no space left on device", "free some space")
	wholeFiles(t, dir)
	if err := syscall.Mount("nctrain-test", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Skipf("the file system cannot be enlarged: %v", err)
	}
	must(t, "run", "--no-report", "--resume", dir)
	whole := filepath.Join(t.TempDir(), "run")
	must(t, append([]string{"run", "--no-report"}, tiny(whole, "--ood", "digits", "--epochs", "4")...)...)
	for _, name := range []string{"checkpoints/epoch_0004.safetensors", "nc.json", "ood.json", "history.csv"} {
		if !bytes.Equal(read(t, dir, name), read(t, whole, name)) {
			t.Errorf("%s is not that of a run that had room", name)
		}
	}
}

// Every command that has --threads refuses what is no number of threads before it begins; 0 is one a core.
func TestThreadsAreCheckedEverywhere(t *testing.T) {
	var commands func(c *cobra.Command) int
	commands = func(c *cobra.Command) (n int) {
		for _, sub := range c.Commands() {
			n += commands(sub)
		}
		if c.Flags().Lookup("threads") == nil {
			return n
		}
		path := strings.Fields(c.CommandPath())[1:]
		for _, threads := range []string{"-1", "1025"} {
			_, stderr, status := call(append(path, "--threads", threads)...)
			if status != exitUsage {
				t.Errorf("%s --threads %s: status %d", c.Name(), threads, status)
			}
			wantLine(t, stderr, "--threads "+threads, "0 for one a core")
		}
		return n + 1
	}
	if n := commands(newRoot()); n < 8 {
		t.Errorf("only %d commands have --threads", n)
	}
}
