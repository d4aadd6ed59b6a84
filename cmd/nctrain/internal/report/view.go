package report

import (
	"math"
	"slices"
	"strconv"

	"nctrain/analysis"
)

// grid is a table of the page: head, groups of rows, and below it why cells are empty.
type grid struct {
	Caption  string
	Head     []cell
	Groups   []group
	Reasons  []string
	Sortable bool
	Dense    bool   // many columns with long heads, which may break
	Set      string // the OOD set it is about; empty for none
}

// group of rows under a title that may be empty.
type group struct {
	Title string
	Rows  []row
}

type row struct {
	Class string
	Cells []cell
}

// cell of a table. Note stands small below the text; Sort is the number to sort by.
type cell struct {
	Text, Note, Hint, Sort, Class string
	Head                          bool // heads its row
	Code                          bool // a name as it stands in files and flags
}

func (g *grid) add(cells ...cell) { g.addRow(row{Cells: cells}) }

func (g *grid) addRow(r row) {
	if len(g.Groups) == 0 {
		g.Groups = []group{{}}
	}
	last := &g.Groups[len(g.Groups)-1]
	last.Rows = append(last.Rows, r)
}

func (g *grid) begin(title string) { g.Groups = append(g.Groups, group{Title: title}) }

func (g *grid) because(reason string) {
	if reason != "" && !slices.Contains(g.Reasons, reason) {
		g.Reasons = append(g.Reasons, reason)
	}
}

// Columns for cells that span the table.
func (g grid) Columns() int { return len(g.Head) }

// Rows of all groups.
func (g grid) Rows() (n int) {
	for _, each := range g.Groups {
		n += len(each.Rows)
	}
	return n
}

func heads(names ...string) []cell {
	var all []cell
	for _, name := range names {
		all = append(all, cell{Text: name})
	}
	return all
}

// missing stands where there is no number.
const missing = "–"

// number is a cell with a number of values, set by format; where it is null its reason is kept below the table.
func (g *grid) number(v analysis.Values, key string, format func(float64) string) cell {
	x, ok := v.Get(key)
	if !ok {
		reason := v.Reason(key)
		if reason != "" {
			g.because(key + ": " + reason)
		}
		return cell{Text: missing, Hint: reason, Class: "n"}
	}
	return cell{Text: format(x), Sort: strconv.FormatFloat(x, 'g', -1, 64), Class: "n"}
}

// plain is a cell with a number that is always there, or NaN.
func plain(x float64, format func(float64) string) cell {
	if math.IsNaN(x) {
		return cell{Text: missing, Class: "n"}
	}
	return cell{Text: format(x), Sort: strconv.FormatFloat(x, 'g', -1, 64), Class: "n"}
}
