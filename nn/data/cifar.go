package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"nctrain/internal/decimal"
)

// cifar is a layout of the CIFAR binary versions (https://www.cs.toronto.edu/~kriz/cifar.html): files of records of some
// label bytes and 32x32 bytes each of red, green and blue.
type cifar struct {
	classes    int
	labelBytes int                 // bytes before the pixels; the last is the label
	files      map[string][]string // of each split
	records    map[string]int64    // of each of them in the official archive
	names      string              // the file of class names
	unpacked   string              // the directory in the official archive
	archive    string
	md5        string // of the official archive
}

const (
	cifarSide   = 32
	cifarPixels = cifarSide * cifarSide
)

var cifar100 = cifar{
	classes: 100, labelBytes: 2, // coarse, fine
	files:   map[string][]string{Train: {"train.bin"}, Test: {"test.bin"}},
	records: map[string]int64{Train: 50_000, Test: 10_000},
	names:   "fine_label_names.txt", unpacked: "cifar-100-binary",
	archive: "cifar-100-binary.tar.gz", md5: "03b5dce01913d631647c71ecec9e9cb8",
}

var cifar10 = cifar{
	classes: 10, labelBytes: 1,
	files: map[string][]string{
		Train: {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
		Test:  {"test_batch.bin"},
	},
	records: map[string]int64{Train: 10_000, Test: 10_000},
	names:   "batches.meta.txt", unpacked: "cifar-10-batches-bin",
	archive: "cifar-10-binary.tar.gz", md5: "c32a1d4ab5d03f1284b67883e8d87530",
}

func (c *cifar) recordBytes() int64 { return int64(c.labelBytes + Channels*cifarPixels) }

// officialBytes is the size of one file of the split in the official archive.
func (c *cifar) officialBytes(split string) int64 { return c.records[split] * c.recordBytes() }

// wayOut is what to do about a damaged file.
func (c *cifar) wayOut() string {
	return fmt.Sprintf("download %s again (md5 %s)", c.archive, c.md5)
}

func (c *cifar) open(path, split string, o Options) (*Set, error) {
	// Any multiple of the record is accepted, so that subsets in this layout can be used; nothing larger than the official
	// file is read.
	most := c.officialBytes(split)
	if o.Limit > 0 {
		most = min(most, int64(o.Limit)*c.recordBytes())
	}
	want := map[string]int64{c.names: 1 << 16}
	for _, name := range c.files[split] {
		want[name] = most
	}
	m, err := readMembers(path, c.unpacked, want, o.Limit == 0)
	if err != nil {
		return nil, err
	}

	s := &Set{Classes: c.classes, H: cifarSide, W: cifarSide}
	for _, name := range c.files[split] {
		file := m.found[name]
		if file == nil {
			return nil, c.missing(path, name, m)
		}
		if err := c.append(s, file, split); err != nil {
			return nil, err
		}
	}
	if m.broken != nil {
		return nil, fmt.Errorf("data: %s: damaged (%w): %s", path, noEOF(m.broken), c.wayOut())
	}
	s.ClassNames, err = c.classNames(m.found[c.names])
	return s, err
}

// missing is the error for a member that was not found: in another archive, or behind the place where this one breaks off.
func (c *cifar) missing(path, name string, m *members) error {
	if m.broken != nil {
		return fmt.Errorf("data: %s: cannot be read as far as %s (%w): %s", path, name, noEOF(m.broken), c.wayOut())
	}
	there := "" // of the split's own files: others are not looked for
	if len(m.found) > 0 {
		there = " (found: " + strings.Join(slices.Sorted(maps.Keys(m.found)), ", ") + ")"
	}
	return fmt.Errorf("data: %s: no %s in it%s: name %s or the directory it unpacks to", path, name, there, c.archive)
}

// append adds the records of one file to s.
func (c *cifar) append(s *Set, m *member, split string) error {
	record := c.recordBytes()
	official := c.officialBytes(split)
	switch {
	case m.cut != nil:
		return fmt.Errorf("data: %s ends after %s of %s bytes: %s", m.where, decimal.Grouped(len(m.content)), decimal.Grouped(m.size), c.wayOut())
	case m.size > official:
		return fmt.Errorf("data: %s has %s bytes, more than the %s of the official file: %s", m.where, decimal.Grouped(m.size), decimal.Grouped(official), c.wayOut())
	case m.size%record != 0:
		return fmt.Errorf("data: %s ends after %s of %s bytes, in the middle of a record of %s: %s", m.where, decimal.Grouped(m.size), decimal.Grouped(official), decimal.Grouped(record), c.wayOut())
	case m.size == 0:
		return fmt.Errorf("data: %s is empty: %s", m.where, c.wayOut())
	}
	n := len(m.content) / int(record)
	s.Images = slices.Grow(s.Images, n*Channels*cifarPixels)
	s.Labels = slices.Grow(s.Labels, n)
	for i := range n {
		r := m.content[int64(i)*record : int64(i+1)*record]
		label := int(r[c.labelBytes-1])
		if label >= c.classes {
			return fmt.Errorf("data: %s: label %d of record %s is not one of the %d classes: %s", m.where, label, decimal.Grouped(i), c.classes, c.wayOut())
		}
		s.Labels = append(s.Labels, int32(label))
		red, green, blue := r[c.labelBytes:], r[c.labelBytes+cifarPixels:], r[c.labelBytes+2*cifarPixels:]
		for p := range cifarPixels {
			s.Images = append(s.Images, red[p], green[p], blue[p])
		}
	}
	return nil
}

// classNames reads one name a line; where the file is missing the classes are named by their numbers.
func (c *cifar) classNames(m *member) ([]string, error) {
	if m == nil {
		return numberNames(c.classes), nil
	}
	names := strings.Fields(string(m.content))
	if len(names) != c.classes {
		return nil, fmt.Errorf("data: %s has %d names for %d classes: %s", m.where, len(names), c.classes, c.wayOut())
	}
	return names, nil
}
