package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// matFile builds MATLAB v5 files element by element.
type matFile struct {
	order interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
	compress bool
	b        []byte
}

func newMAT(big, compress bool) *matFile {
	m := &matFile{order: binary.LittleEndian, compress: compress}
	sign := "IM"
	if big {
		m.order, sign = binary.BigEndian, "MI"
	}
	m.b = append([]byte("MATLAB 5.0 MAT-file, written by mat5_test.go"), make([]byte, 80)...)
	m.b = m.order.AppendUint16(m.b, 0x0100)
	m.b = append(m.b, sign...)
	return m
}

func (m *matFile) element(kind uint32, content []byte) []byte {
	b := m.order.AppendUint32(nil, kind)
	b = m.order.AppendUint32(b, uint32(len(content)))
	b = append(b, content...)
	for kind != matTypeCompressed && len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func (m *matFile) add(name string, class uint32, dims []int, stored uint32, raw []byte) *matFile {
	flags := m.order.AppendUint32(nil, class)
	flags = m.order.AppendUint32(flags, 0)
	var d []byte
	for _, dim := range dims {
		d = m.order.AppendUint32(d, uint32(dim))
	}
	named := m.element(matTypeInt8, []byte(name))
	if len(name) <= 4 { // packed, as MATLAB does
		named = m.order.AppendUint32(nil, uint32(len(name))<<16|matTypeInt8)
		named = append(named, append([]byte(name), 0, 0, 0, 0)[:4]...)
	}
	body := slices.Concat(m.element(matTypeUint32, flags), m.element(matTypeInt32, d), named, m.element(stored, raw))
	matrix := m.element(matTypeMatrix, body)
	if m.compress {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		w.Write(matrix)
		w.Close()
		matrix = m.element(matTypeCompressed, z.Bytes())
	}
	m.b = append(m.b, matrix...)
	return m
}

func (m *matFile) doubles(values ...float64) []byte {
	b, _ := binary.Append(nil, m.order, values)
	return b
}

// pixelsOf holds at [y,x,c,i], first index fastest, the byte y + 10x + 50c + 100i.
func pixelsOf(h, w, n int) []byte {
	var b []byte
	for i := range n {
		for c := range Channels {
			for x := range w {
				for y := range h {
					b = append(b, byte(y+10*x+50*c+100*i))
				}
			}
		}
	}
	return b
}

func TestSVHNInAllItsForms(t *testing.T) {
	for _, big := range []bool{false, true} {
		for _, compress := range []bool{false, true} {
			m := newMAT(big, compress)
			m.add("extra", 6, []int{1, 1}, 9, m.doubles(1)).add("X", matClassUint8, []int{4, 5, 3, 2}, 2, pixelsOf(4, 5, 2))
			m.add("y", 6, []int{2, 1}, 9, m.doubles(10, 3))
			s := mustOpen(t, "svhn:"+saved(t, "test_32x32.mat", m.b), Train, Options{})
			if !s.OneSplit || s.H != 4 || s.W != 5 || s.Classes != 10 || !slices.Equal(s.Labels, []int32{0, 3}) {
				t.Fatalf("big-endian %v, compressed %v: %+v", big, compress, s)
			}
			for i := range 2 {
				for y := range 4 {
					for x := range 5 {
						for c := range Channels {
							if got := s.Image(i)[(y*5+x)*3+c]; got != byte(y+10*x+50*c+100*i) {
								t.Fatalf("image %d at [%d,%d,%d] is %d", i, y, x, c, got)
							}
						}
					}
				}
			}
		}
	}
}

// MATLAB stores whole doubles in the narrowest type that holds them, and drops the last dimension of one image.
func TestSVHNLabelsOfEveryStoredType(t *testing.T) {
	for stored, raw := range map[uint32][]byte{
		1: {7}, 2: {7}, 3: {7, 0}, 4: {7, 0}, 5: {7, 0, 0, 0}, 6: {7, 0, 0, 0}, 7: {0, 0, 0xe0, 0x40},
		9: {0, 0, 0, 0, 0, 0, 0x1c, 0x40}, 12: {7, 0, 0, 0, 0, 0, 0, 0}, 13: {7, 0, 0, 0, 0, 0, 0, 0},
	} {
		m := newMAT(false, true).add("X", matClassUint8, []int{2, 2, 3}, 2, pixelsOf(2, 2, 1)).add("y", 6, []int{1, 1}, stored, raw)
		s := mustOpen(t, "svhn:"+saved(t, "f.mat", m.b), Test, Options{})
		if s.Len() != 1 || s.Labels[0] != 7 {
			t.Errorf("stored type %d: labels %v", stored, s.Labels)
		}
	}
}

func TestSVHNDirectoryHasSplits(t *testing.T) {
	dir := t.TempDir()
	for split, label := range map[string]byte{Train: 1, Test: 2} {
		m := newMAT(false, false).add("X", matClassUint8, []int{2, 2, 3, 3}, 2, pixelsOf(2, 2, 3)).add("y", matClassUint8, []int{3, 1}, 2, []byte{label, label, 10})
		if err := os.WriteFile(filepath.Join(dir, split+"_32x32.mat"), m.b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for split, label := range map[string]int32{Train: 1, Test: 2} {
		s := mustOpen(t, "svhn:"+dir, split, Options{Limit: 2})
		if s.OneSplit || !slices.Equal(s.Labels, []int32{label, label}) || len(s.Images) != 24 {
			t.Errorf("%s: %+v", split, s)
		}
	}
}

func TestSVHNRefusesWithTheWayOut(t *testing.T) {
	x, y := pixelsOf(2, 2, 2), []byte{1, 2}
	dims := []int{2, 2, 3, 2}
	with := func(build func(m *matFile)) []byte {
		m := newMAT(false, false)
		build(m)
		return m.b
	}
	whole := with(func(m *matFile) { m.add("y", matClassUint8, []int{2, 1}, 2, y).add("X", matClassUint8, dims, 2, x) })
	v73 := append([]byte("MATLAB 7.3 MAT-file"), make([]byte, 200)...)
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", nil, "too short for a MATLAB file"},
		{"text", bytes.Repeat([]byte("x"), 200), "not a MATLAB v5 file: save it with -v7"},
		{"v7.3", v73, "a MATLAB 7.3 file (HDF5): save it with -v7"},
		{"packed", with(func(m *matFile) { m.b = append(m.order.AppendUint32(m.b, 5<<16|matTypeInt8), 1, 2, 3, 4, 5, 6, 7, 8) }), "a small element of 5 bytes"},
		{"cut", whole[:len(whole)-10], "X ends after 14 of 24 bytes (unexpected EOF): download it again"},
		{"no y", with(func(m *matFile) { m.add("X", matClassUint8, dims, 2, x) }), "no arrays X and y"},
		{"bytes", with(func(m *matFile) { m.add("X", matClassUint8, dims, 2, x[1:]) }), "X has 23 bytes for dimensions [2 2 3 2] of 1-byte elements"},
		{"huge", with(func(m *matFile) { m.add("X", matClassUint8, []int{1 << 20, 1 << 20, 3, 2}, 2, x) }), "X has impossible dimensions [1048576 1048576 3 2]"},
		{"negative", with(func(m *matFile) { m.add("X", matClassUint8, []int{-2, 2, 3, 2}, 2, x) }), "X has impossible dimensions [-2 2 3 2]"},
		{"grey", with(func(m *matFile) {
			m.add("X", matClassUint8, []int{2, 2, 1, 6}, 2, x).add("y", matClassUint8, []int{2, 1}, 2, y)
		}), "array X has dimensions [2 2 1 6] and class 9: uint8 [H,W,3,N] is wanted"},
		{"counts", with(func(m *matFile) {
			m.add("X", matClassUint8, dims, 2, x).add("y", matClassUint8, []int{1, 1}, 2, y[:1])
		}), "array X has dimensions [2 2 3 2], y has [1 1]: one label an image is wanted"},
		{"label", with(func(m *matFile) {
			m.add("X", matClassUint8, dims, 2, x).add("y", matClassUint8, []int{2, 1}, 2, []byte{1, 11})
		}), "y: label 11 of image 1: digits are 1 to 9, and 10 for 0"},
		{"fraction", with(func(m *matFile) { m.add("X", matClassUint8, dims, 2, x).add("y", 6, []int{2, 1}, 9, m.doubles(1, 1.5)) }), "y: element 1 is 1.5, no whole number"},
		{"cell", with(func(m *matFile) { m.add("X", 1, dims, matTypeMatrix, x) }), "X is no plain numeric array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := saved(t, "f.mat", c.content)
			_, err := Open("svhn:"+path, Test, Options{})
			if err == nil || !strings.HasPrefix(err.Error(), "data: "+path+": "+c.want) {
				t.Errorf("error\n%v, want\n%s", err, c.want)
			}
		})
	}
	zipped := newMAT(false, true).add("X", matClassUint8, dims, 2, x).b
	zipped[len(zipped)-1] ^= 1 // zlib's checksum of the content
	if _, err := Open("svhn:"+saved(t, "f.mat", zipped), Test, Options{}); err == nil || !strings.Contains(err.Error(), "a compressed array: zlib: invalid checksum: download it again") {
		t.Errorf("checksum: %v", err)
	}
	if _, err := Open("svhn:/nonexistent", Test, Options{}); err == nil || !strings.Contains(err.Error(), "name a .mat file or the directory") {
		t.Errorf("missing: %v", err)
	}
}

// FuzzSVHN opens arbitrary bytes as the .mat file; what is accepted must be consistent.
func FuzzSVHN(f *testing.F) {
	for _, compress := range []bool{false, true} {
		m := newMAT(compress, compress).add("X", matClassUint8, []int{1, 2, 3, 2}, 2, pixelsOf(1, 2, 2)).add("y", matClassUint8, []int{2, 1}, 2, []byte{1, 10})
		f.Add(m.b)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := Open("svhn:"+saved(t, "f.mat", content), Test, Options{})
		if err != nil {
			return
		}
		if err := s.check("fuzzed"); err != nil {
			t.Error(err)
		}
	})
}
