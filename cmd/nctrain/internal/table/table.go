// Package table sets numbers for people: aligned columns and sensible digits.
package table

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"nctrain/internal/decimal"
)

// Table is a header and rows of cells. The first column is flush left, the others flush right.
type Table struct {
	rows  [][]string
	lefts map[int]bool
}

// New starts a table with its header.
func New(header ...string) *Table {
	return &Table{rows: [][]string{header}, lefts: map[int]bool{0: true}}
}

// Left sets columns flush left too.
func (t *Table) Left(columns ...int) *Table {
	for _, c := range columns {
		t.lefts[c] = true
	}
	return t
}

// Row appends a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Len is the number of rows under the header.
func (t *Table) Len() int { return len(t.rows) - 1 }

// Write prints the table, two spaces between columns, each line after the indent.
func (t *Table) Write(w io.Writer, indent string) error {
	var widths []int
	for _, row := range t.rows {
		for c, cell := range row {
			if c == len(widths) {
				widths = append(widths, 0)
			}
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range t.rows {
		line := indent
		for c, cell := range row {
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if t.lefts[c] {
				line += cell + pad
			} else {
				line += pad + cell
			}
			line += "  "
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Missing stands for a number that does not exist.
const Missing = "-"

// Number writes x with four significant digits, in powers of ten where it is very small or large.
func Number(x float64) string {
	if x == 0 {
		return "0"
	}
	size := math.Abs(x)
	if size < 1e-3 || size >= 1e6 {
		return strconv.FormatFloat(x, 'e', 2, 64)
	}
	decimals := max(0, 3-int(math.Floor(math.Log10(size))))
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// Figure writes a whole number as Count does, and any other as Number.
func Figure(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return Count(int(x))
	}
	return Number(x)
}

// Percent writes a number that is in percent already, with two decimals.
func Percent(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// Optional applies format where there is a number.
func Optional(x float64, ok bool, format func(float64) string) string {
	if !ok {
		return Missing
	}
	return format(x)
}

// Count writes 12345678 as 12,345,678.
func Count(n int) string { return decimal.Grouped(n) }

// Bytes writes a size in binary units.
func Bytes(n float64) string {
	unit := 0
	for ; n >= 1024 && unit < 4; unit++ {
		n /= 1024
	}
	return fmt.Sprintf("%.4g %s", n, [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}
