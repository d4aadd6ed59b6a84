package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cifarRecord is a record whose pixel p has red p, green p+1, blue p+2 plus the seed (mod 256).
func cifarRecord(labels []byte, seed int) []byte {
	r := slices.Clone(labels)
	for c := range Channels {
		for p := range cifarPixels {
			r = append(r, byte(p+c+seed))
		}
	}
	return r
}

func names(n int) []byte {
	var b []byte
	for i := range n {
		b = fmt.Appendf(b, "name%d\n", i)
	}
	return b
}

// cifar100Files is a small CIFAR-100: image i of a split has fine label 99-i.
func cifar100Files(train, test int) map[string][]byte {
	files := map[string][]byte{"fine_label_names.txt": names(100), "coarse_label_names.txt": names(20)}
	for name, n := range map[string]int{"train.bin": train, "test.bin": test} {
		files[name] = []byte{}
		for i := range n {
			files[name] = append(files[name], cifarRecord([]byte{byte(i % 20), byte(99 - i)}, i)...)
		}
	}
	return files
}

func cifar10Files() map[string][]byte {
	files := map[string][]byte{"batches.meta.txt": append(names(10), '\n'), "readme.html": []byte("<html>")}
	for i, name := range append(slices.Clone(cifar10.files[Train]), "test_batch.bin") {
		files[name] = slices.Concat(cifarRecord([]byte{byte(i)}, i), cifarRecord([]byte{9}, i))
	}
	return files
}

func tarGz(t testing.TB, dir string, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: dir + "/" + name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func saved(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func unpacked(t testing.TB, sub string, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, sub, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustOpen(t testing.TB, spec, split string, o Options) *Set {
	t.Helper()
	s, err := Open(spec, split, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCIFAR100FromArchiveAndDirectory(t *testing.T) {
	files := cifar100Files(7, 3)
	for _, path := range []string{
		saved(t, "cifar-100-binary.tar.gz", tarGz(t, "cifar-100-binary", files)),
		unpacked(t, "", files),
		unpacked(t, "cifar-100-binary", files),
	} {
		for split, n := range map[string]int{Train: 7, Test: 3} {
			s := mustOpen(t, "cifar100:"+path, split, Options{})
			if s.Len() != n || s.Classes != 100 || s.H != 32 || s.W != 32 || s.OneSplit || s.Split != split {
				t.Fatalf("%s: %d images, %d classes, %dx%d", split, s.Len(), s.Classes, s.H, s.W)
			}
			if s.ClassNames[99] != "name99" {
				t.Errorf("class 99 is %q", s.ClassNames[99])
			}
			for i := range n {
				if s.Labels[i] != int32(99-i) {
					t.Errorf("label %d is %d: fine labels are wanted", i, s.Labels[i])
				}
				for p := range cifarPixels {
					at := 3 * p
					if im := s.Image(i); im[at] != byte(p+i) || im[at+1] != byte(p+1+i) || im[at+2] != byte(p+2+i) {
						t.Fatalf("image %d pixel %d is %v: planes were not interleaved", i, p, im[at:at+3])
					}
				}
			}
		}
	}
}

func TestCIFAR10BatchesInOrder(t *testing.T) {
	path := saved(t, "c.tar.gz", tarGz(t, "cifar-10-batches-bin", cifar10Files()))
	s := mustOpen(t, "cifar10:"+path, Train, Options{})
	if !slices.Equal(s.Labels, []int32{0, 9, 1, 9, 2, 9, 3, 9, 4, 9}) || s.ClassNames[9] != "name9" {
		t.Errorf("labels %v, names %v", s.Labels, s.ClassNames)
	}
	if got := mustOpen(t, "cifar10:"+path, Test, Options{}).Labels; !slices.Equal(got, []int32{5, 9}) {
		t.Errorf("test labels %v", got)
	}
	if got := mustOpen(t, "cifar10:"+path, Train, Options{Limit: 1}).Labels; !slices.Equal(got, []int32{0}) {
		t.Errorf("labels of one image: %v", got)
	}
	if got := mustOpen(t, "cifar10:"+path, Train, Options{Limit: 3}).Labels; !slices.Equal(got, []int32{0, 9, 1}) {
		t.Errorf("limited labels %v", got)
	}
}

func TestCIFARWithoutNamesNumbersItsClasses(t *testing.T) {
	files := cifar100Files(2, 1)
	delete(files, "fine_label_names.txt")
	s := mustOpen(t, "cifar100:"+unpacked(t, "", files), Train, Options{})
	if s.ClassNames[42] != "42" {
		t.Errorf("class 42 is %q", s.ClassNames[42])
	}
}

func TestCIFARRefusesWithTheWayOut(t *testing.T) {
	const again = "download cifar-100-binary.tar.gz again (md5 03b5dce01913d631647c71ecec9e9cb8)"
	whole := cifar100Files(50, 3)
	with := func(name string, content []byte) map[string][]byte {
		files := cifar100Files(50, 3)
		if content == nil {
			delete(files, name)
		} else {
			files[name] = content
		}
		return files
	}
	// One member, stored by gzip without compression, so that cutting the archive cuts the member where we know it.
	cutArchive := func() []byte {
		var b bytes.Buffer
		zip, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
		w := tar.NewWriter(zip)
		w.WriteHeader(&tar.Header{Name: "cifar-100-binary/train.bin", Size: int64(len(whole["train.bin"])), Typeflag: tar.TypeReg})
		w.Write(whole["train.bin"])
		w.Close()
		zip.Close()
		return b.Bytes()[:b.Len()/2]
	}
	flipped := tarGz(t, "x", whole)
	flipped[len(flipped)-8] ^= 1 // of gzip's CRC
	badLabel := slices.Clone(whole["train.bin"])
	badLabel[2*3074+1] = 100
	for _, c := range []struct {
		name, path, want string
	}{
		{"cut archive", saved(t, "c.tar.gz", cutArchive()), "c.tar.gz: train.bin ends after "},
		{"cut in the middle", unpacked(t, "", with("train.bin", whole["train.bin"][:10_000])), "train.bin ends after 10,000 of 153,700,000 bytes, in the middle of a record of 3,074: " + again},
		{"label", unpacked(t, "", with("train.bin", badLabel)), "train.bin: label 100 of record 2 is not one of the 100 classes: " + again},
		{"empty", unpacked(t, "", with("train.bin", []byte{})), "train.bin is empty: " + again},
		{"missing member", unpacked(t, "", with("train.bin", nil)), "no train.bin in it (found: fine_label_names.txt)"},
		{"other directory", t.TempDir(), "no train.bin in it: name cifar"},
		{"names", unpacked(t, "", with("fine_label_names.txt", names(99))), "fine_label_names.txt has 99 names for 100 classes: " + again},
		{"no archive", saved(t, "c.tar.gz", []byte("<html>not found</html>")), "c.tar.gz: cannot be read as far as train.bin (unexpected EOF): " + again},
		{"no gzip", saved(t, "c.tar.gz", []byte("\x1f\x8bnot found")), "c.tar.gz: not a .tar.gz that can be read"},
		{"checksum", saved(t, "c.tar.gz", flipped), "c.tar.gz: damaged (gzip: invalid checksum): " + again},
		{"missing", "/nonexistent/c.tar.gz", "data: stat /nonexistent/c.tar.gz: no such file or directory: name the downloaded archive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open("cifar100:"+c.path, Train, Options{})
			if err == nil || !strings.HasPrefix(err.Error(), "data: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error\n%v, want\n%s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
	_, err := Open("cifar100:"+saved(t, "c.tar.gz", cutArchive()), Train, Options{})
	if err == nil || !strings.HasSuffix(err.Error(), " of 153,700 bytes: "+again) {
		t.Errorf("cut archive: %v", err)
	}
}

// FuzzCIFAR opens arbitrary bytes as the archive; what is accepted must be consistent.
func FuzzCIFAR(f *testing.F) {
	f.Add(tarGz(f, "x", map[string][]byte{"test.bin": cifarRecord([]byte{1, 2}, 0)}))
	f.Add([]byte("\x1f\x8b"))
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	w.WriteHeader(&tar.Header{Name: "test.bin", Size: 1 << 40, Typeflag: tar.TypeReg})
	f.Add(plain.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := Open("cifar100:"+saved(t, "c", content), Test, Options{})
		if err != nil {
			return
		}
		if err := s.check("fuzzed"); err != nil {
			t.Error(err)
		}
	})
}
