package analysis

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
)

const (
	// maxLine bounds a line of text in bytes: 100,000 columns of 160 characters.
	maxLine = 1 << 24
	// typedRows is the number of rows whose digits tell whether a .csv was written of float32 or of float64.
	typedRows = 64
)

// csvRows is a part stored as text, as pandas and R write it: a header and one line a row. The file is open during a sweep only.
type csvRows struct {
	path    string
	info    Info
	columns []csvColumn
}

// csvColumn says what a column holds: an element of an array, or (no role) nothing of ours.
type csvColumn struct {
	name, role string
	at         int
}

// openText opens a .csv.
func openText(path string) opener {
	return func() (rows, error) {
		c := &csvRows{path: path, info: Info{Name: path}}
		if err := c.scan(); err != nil {
			return nil, err
		}
		return c, nil
	}
}

// scan reads the header, counts the rows and checks the number of fields of each.
func (c *csvRows) scan() error {
	file, err := os.Open(c.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: check the path", err)
		}
		return fmt.Errorf("analysis: %w", err)
	}
	defer file.Close()
	in := newLines(file)
	header, err := in.next()
	if err == io.EOF {
		return fmt.Errorf("analysis: %s: the file is empty: write a header f0,f1,..,label[,logit0,..] and a line for each row", c.path)
	}
	if err == nil {
		err = c.readHeader(header)
	}
	features, logits := make([]float64, c.info.D), make([]float64, c.info.C)
	for err == nil {
		var line []byte
		if line, err = in.next(); err != nil {
			break
		}
		c.info.N++
		if c.info.N > typedRows {
			err = c.count(line)
			continue
		}
		if _, err = c.parse(line, features, logits); err == nil && c.info.Type == Float32 && needsFloat64(c, line) {
			c.info.Type = Float64
		}
	}
	if err != io.EOF {
		return c.at(in, err)
	}
	return nil
}

// at adds file and line to an error.
func (c *csvRows) at(in *lines, err error) error {
	return fmt.Errorf("analysis: %s: line %d: %w", c.path, in.number, err)
}

// readHeader finds the columns of each array.
func (c *csvRows) readHeader(line []byte) error {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	line = bytes.TrimPrefix(line, []byte("# ")) // numpy.savetxt's
	prefixes := map[string]string{"f": "features", "h": "features", "logit": "logits"}
	used := map[string]string{} // role -> prefix
	seen := map[string]bool{}
	largest := map[string]int{}
	count := map[string]int{}
	for rest := line; rest != nil; {
		field, more, err := nextField(rest)
		if err != nil {
			return err
		}
		rest = more
		column := csvColumn{name: string(field)}
		prefix := strings.TrimRight(column.name, "0123456789")
		if role, at := prefixes[prefix], strings.TrimPrefix(column.name, prefix); role != "" && at != "" {
			if column.at, err = strconv.Atoi(at); err != nil || column.at >= maxLine {
				return fmt.Errorf("column %s: %s is no number of a column", column.name, at)
			}
			if other := used[role]; other != "" && other != prefix {
				return fmt.Errorf("columns %s0.. and %s0..: both would be features: rename one", other, prefix)
			}
			used[role], column.role = prefix, role
		} else if column.name == "label" {
			column.role = "labels"
		}
		if column.role != "" {
			if seen[column.name] {
				return fmt.Errorf("two columns are called %s: rename one", column.name)
			}
			seen[column.name] = true
			largest[column.role] = max(largest[column.role], column.at)
			count[column.role]++
		}
		c.columns = append(c.columns, column)
	}
	for _, role := range []string{"features", "logits"} {
		for i := range largest[role] + 1 {
			if name := used[role] + strconv.Itoa(i); count[role] > 0 && !seen[name] {
				return fmt.Errorf("there is no column %s before %s%d: number them from 0 without gaps", name, used[role], largest[role])
			}
		}
	}
	if count["features"] == 0 {
		return fmt.Errorf("no columns f0, f1, .. or h0, h1, .. in the header: name the features so, and separate columns by commas")
	}
	c.info.D, c.info.C, c.info.Unlabelled = count["features"], count["logits"], count["labels"] == 0
	return nil
}

// count checks the number of fields of a line.
func (c *csvRows) count(line []byte) error {
	n := 1 + bytes.Count(line, []byte{','})
	if bytes.IndexByte(line, '"') >= 0 { // commas may stand within quotes
		n = 0
		for rest := line; rest != nil; n++ {
			var err error
			if _, rest, err = nextField(rest); err != nil {
				return err
			}
		}
	}
	return c.fields(n)
}

func (c *csvRows) fields(n int) error {
	if n == len(c.columns) {
		return nil
	}
	return fmt.Errorf("%d fields, the header has %d: the file was cut off or the line is broken, write it again", n, len(c.columns))
}

// parse reads a line into features [D] and logits [C]; the label is -1 where there is no column of labels. A field that is empty (so pandas writes NaN) or not finite is an error:
// here line and column are known.
func (c *csvRows) parse(line []byte, features, logits []float64) (label int64, err error) {
	if err := c.count(line); err != nil {
		return 0, err
	}
	label = -1
	rest := line
	for _, column := range c.columns {
		var field []byte
		if field, rest, err = nextField(rest); err != nil {
			return 0, err
		}
		if column.role == "" {
			continue
		}
		if len(field) == 0 {
			return 0, fmt.Errorf("column %s: the field is empty: fill it or leave the row out", column.name)
		}
		x, err := strconv.ParseFloat(string(field), c.bits(column))
		if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is Inf
			return 0, fmt.Errorf("column %s: %.40q is no number: write one, or leave the row or the column out", column.name, field)
		}
		if column.role == "labels" {
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return 0, fmt.Errorf("column label: %.40q is no class: give whole numbers", field)
			}
			label = int64(x)
			continue
		}
		if x-x != 0 {
			return 0, fmt.Errorf("column %s: %.40q is not finite: fill it, leave the row out, or take a checkpoint that has not diverged", column.name, field)
		}
		if column.role == "features" {
			features[column.at] = x
		} else {
			logits[column.at] = x
		}
	}
	return label, nil
}

// bits is the precision in which a column is read: text that was written of float32 gives those float32 again.
func (c *csvRows) bits(column csvColumn) int {
	if c.info.Type == Float32 && column.role != "labels" {
		return 32
	}
	return 64
}

// needsFloat64 tells whether a feature of the line is no float32: neither exactly one, nor written with the 9 digits that tell one from its neighbours.
func needsFloat64(c *csvRows, line []byte) bool {
	rest := line
	for _, column := range c.columns {
		field, more, _ := nextField(rest) // parsed before
		rest = more
		if column.role != "features" {
			continue
		}
		if x, _ := strconv.ParseFloat(string(field), 64); float64(float32(x)) != x && significant(field) > 9 {
			return true
		}
	}
	return false
}

// significant counts the digits of a decimal number from its first that is not 0.
func significant(field []byte) int {
	n := 0
	for _, b := range field {
		switch {
		case b == 'e' || b == 'E':
			return n
		case b >= '1' && b <= '9', b == '0' && n > 0:
			n++
		}
	}
	return n
}

func (c *csvRows) about() Info { return c.info }

func (c *csvRows) Close() error { return nil }

func (c *csvRows) sweep(ctx context.Context, from, to int, visit func(*Block) error) error {
	file, err := os.Open(c.path)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	defer file.Close()
	in := newLines(file)
	next := func() ([]byte, error) {
		line, err := in.next()
		if err == io.EOF {
			err = fmt.Errorf("the file ends: it was longer when it was opened")
		}
		return line, err
	}
	for range 1 + from { // the header
		if _, err := next(); err != nil {
			return c.at(in, err)
		}
	}
	b := newBlock(c.info, to-from)
	for at := from; at < to; at += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.resize(c.info, at, min(blockRows, to-at))
		for i := range b.N {
			line, err := next()
			if err == nil {
				b.Labels[i], err = c.parse(line, b.Features[i*c.info.D:(i+1)*c.info.D], b.Logits[i*c.info.C:(i+1)*c.info.C])
			}
			if err != nil {
				return c.at(in, err)
			}
		}
		if err := visit(&b); err != nil {
			return err
		}
	}
	return nil
}

// nextField cuts the first field off a line, without spaces and quotes around it; rest is nil behind the last. Doubled quotes within quotes stay doubled: no number has any.
// encoding/csv cuts no faster: of 100,000 rows of 512 float32 it took 2.2 s of processor time where this takes 0.9, in a sweep of 3.5; and opening, which only counts fields, 2.2 s for 0.15.
func nextField(line []byte) (field, rest []byte, err error) {
	if trimmed := bytes.TrimLeft(line, " \t"); len(trimmed) > 0 && trimmed[0] == '"' {
		end := 1
		for end < len(trimmed) && (trimmed[end] != '"' || (end+1 < len(trimmed) && trimmed[end+1] == '"')) {
			if trimmed[end] == '"' {
				end++
			}
			end++
		}
		if end >= len(trimmed) {
			return nil, nil, errors.New("a quote that does not end: quote no line breaks")
		}
		field, rest = trimmed[1:end], bytes.TrimLeft(trimmed[end+1:], " \t")
		switch {
		case len(rest) == 0:
			return bytes.TrimSpace(field), nil, nil
		case rest[0] != ',':
			return nil, nil, fmt.Errorf("%.40q stands behind a quote: separate fields by commas", rest)
		}
		return bytes.TrimSpace(field), rest[1:], nil
	}
	if at := bytes.IndexByte(line, ','); at >= 0 {
		return bytes.TrimSpace(line[:at]), line[at+1:], nil
	}
	return bytes.TrimSpace(line), nil, nil
}

// lines reads a text line by line, blank lines left out.
type lines struct {
	in     *bufio.Reader
	long   []byte // a line that exceeds the buffer
	number int    // of the line read last, from 1
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 1<<18)} }

// next gives the next line without its end, valid until the call after; io.EOF behind the last.
func (l *lines) next() ([]byte, error) {
	for {
		l.number++
		line, err := l.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			l.long = append(l.long[:0], line...)
			for err == bufio.ErrBufferFull && len(l.long) <= maxLine {
				line, err = l.in.ReadSlice('\n')
				l.long = append(l.long, line...)
			}
			if len(l.long) > maxLine {
				return nil, fmt.Errorf("longer than %d MiB: is it text?", maxLine>>20)
			}
			line = l.long
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err == io.EOF {
			return nil, io.EOF
		}
	}
}
