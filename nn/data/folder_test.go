package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// flat is an image of one colour.
func flat(w, h int, c color.NRGBA) image.Image {
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.SetNRGBA(x, y, c)
		}
	}
	return im
}

func pngBytes(t testing.TB, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes a file and the directories above it.
func put(t testing.TB, content []byte, parts ...string) {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func grey(t testing.TB, v uint8) []byte { return pngBytes(t, flat(32, 32, color.NRGBA{v, v, v, 255})) }

func TestFolderOfClasses(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		put(t, grey(t, uint8(10+i)), dir, "cat", fmt.Sprintf("%d.png", i))
	}
	put(t, grey(t, 20), dir, "ant", "a.PNG")
	put(t, []byte("not an image"), dir, "ant", "readme.txt")
	put(t, []byte("x"), dir, "list.csv")
	put(t, []byte("x"), dir, ".cache", "x")
	for _, split := range []string{Train, Test} {
		s := mustOpen(t, "folder:"+dir, split, Options{})
		if !s.OneSplit || !slices.Equal(s.ClassNames, []string{"ant", "cat"}) || !slices.Equal(s.Labels, []int32{0, 1, 1, 1}) {
			t.Fatalf("%s: %v, labels %v", split, s.ClassNames, s.Labels)
		}
		for i, want := range []uint8{20, 10, 11, 12} {
			if im := s.Image(i); slices.Min(im) != want || slices.Max(im) != want {
				t.Errorf("%s: image %d is %v.., want %d", split, i, im[:3], want)
			}
		}
	}
	if s := mustOpen(t, "folder:"+dir, Train, Options{Limit: 2}); !slices.Equal(s.Labels, []int32{0, 1}) {
		t.Errorf("limit 2: labels %v", s.Labels)
	}
}

func TestFolderWithSplits(t *testing.T) {
	dir := t.TempDir()
	put(t, grey(t, 1), dir, "train", "a", "x.png")
	put(t, grey(t, 2), dir, "test", "a", "x.png")
	for split, want := range map[string]uint8{Train: 1, Test: 2} {
		if s := mustOpen(t, "folder:"+dir, split, Options{}); s.OneSplit || s.Images[0] != want {
			t.Errorf("%s: %v, one split %v", split, s.Images[0], s.OneSplit)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "test")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("folder:"+dir, Test, Options{}); err == nil || !strings.Contains(err.Error(), "train/ is there, test/ is wanted beside it") {
		t.Errorf("error %v", err)
	}
}

func TestFolderResizesAntialiased(t *testing.T) {
	dir := t.TempDir()
	// Columns of black and white one pixel wide: without antialiasing some of them survive shrinking, with it all is grey.
	stripes := image.NewGray(image.Rect(0, 0, 256, 64))
	for i := range stripes.Pix {
		stripes.Pix[i] = uint8(i % 2 * 255)
	}
	put(t, pngBytes(t, stripes), dir, "a", "stripes.png")
	put(t, pngBytes(t, flat(3, 5, color.NRGBA{200, 100, 50, 255})), dir, "b", "small.png")
	put(t, pngBytes(t, flat(16, 16, color.NRGBA{200, 100, 50, 0})), dir, "c", "clear.png")
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, flat(100, 80, color.NRGBA{90, 90, 90, 255}), nil); err != nil {
		t.Fatal(err)
	}
	put(t, photo.Bytes(), dir, "d", "photo.jpeg")
	s := mustOpen(t, "folder:"+dir, Train, Options{ImageSize: 16})
	if s.H != 16 || s.W != 16 {
		t.Fatalf("%dx%d", s.H, s.W)
	}
	for i, want := range [][3]uint8{{127, 127, 127}, {200, 100, 50}, {0, 0, 0}, {90, 90, 90}} {
		im := s.Image(i)
		for p, v := range im {
			if d := int(v) - int(want[p%3]); d < -4 || d > 4 { // the tent is cut at the borders
				t.Errorf("%s: byte %d is %d, want %d", s.ClassNames[i], p, v, want[p%3])
				break
			}
		}
	}
}

func TestFolderRefusesWithTheWayOut(t *testing.T) {
	whole := grey(t, 9)
	huge := slices.Clone(whole)
	copy(huge[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0})
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for _, c := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"text", "a/x.png", []byte("text"), "x.png: not a PNG or JPEG that can be read (image: unknown format): replace or remove it"},
		{"cut", "a/x.png", whole[:len(whole)-20], "x.png: damaged (png: invalid format: unexpected EOF): replace or remove it"},
		{"huge", "a/x.png", huge, "x.png: 65536x65536 pixels, more than the 100,000,000 that are decoded here"},
		{"no images", "a/x.gif", whole, "a: no .png, .jpg or .jpeg in it"},
		{"no classes", "x.png", whole, "no directories in it: one directory of images a class is wanted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, c.content, dir, c.file)
			_, err := Open("folder:"+dir, Train, Options{})
			if err == nil || !strings.HasPrefix(err.Error(), "data: "+dir) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error\n%v, want\n%s", err, c.want)
			}
		})
	}
	if _, err := Open("folder:/nonexistent", Train, Options{}); err == nil || !strings.Contains(err.Error(), "name a directory with one directory of images a class") {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open("folder:.", Train, Options{ImageSize: -1}); err == nil || !strings.Contains(err.Error(), "an image size of -1: give 1 to 1024 pixels") {
		t.Errorf("size: %v", err)
	}
}

// FuzzImage decodes arbitrary bytes as an image file of a folder.
func FuzzImage(f *testing.F) {
	f.Add(pngBytes(f, flat(3, 2, color.NRGBA{1, 2, 3, 255})))
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, flat(4, 4, color.NRGBA{9, 9, 9, 255}), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(photo.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && c.Width*c.Height > 1<<20 {
			t.Skip("slow to decode")
		}
		out := make([]uint8, 8*8*Channels)
		_ = decodeImage(bytes.NewReader(content), 8, out)
	})
}
