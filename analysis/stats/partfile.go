package stats

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

const (
	// aboutKey is the array that tells a file of statistics from others.
	aboutKey     = "statistics"
	aboutVersion = 1
	// maxAbout bounds it in bytes: the list of a million shards.
	maxAbout = 1 << 24
)

// about is what a file of statistics says of itself before its numbers are read.
type about struct {
	Version int           `json:"version"`
	Name    string        `json:"name"` // of the set
	N       int           `json:"n"`    // rows of the set
	C       int           `json:"classes"`
	D       int           `json:"features"`
	Type    string        `json:"type"`
	Meta    analysis.Meta `json:"meta"`
	Of      int           `json:"of"`
	Shards  []int         `json:"shards"`
	Checked bool          `json:"checked"`

	Correct  int64                 `json:"correct"`
	MaxLogit float64               `json:"max_logit"`
	Mismatch analysis.HeadMismatch `json:"mismatch"`
}

func (p *Part) about() about {
	return about{Version: aboutVersion, Name: p.Info.Name, N: p.Info.N, C: p.Class.C, D: p.Class.D, Type: p.Info.Type.String(), Meta: p.Info.Meta, Of: p.Of, Shards: p.Shards,
		Checked: p.Checked, Correct: p.Tally.Correct, MaxLogit: p.Tally.MaxLogit, Mismatch: p.Tally.Mismatch}
}

// fits tells whether two are parts of one set that share no rows.
func (a about) fits(b about) error {
	hash := func(m analysis.Meta) string {
		if m.Checkpoint == "" {
			return "none"
		}
		return m.Checkpoint[:min(12, len(m.Checkpoint))]
	}
	for _, is := range []struct{ what, a, b, wayOut string }{
		{"features", strconv.Itoa(a.D), strconv.Itoa(b.D), "merge parts of one model"},
		{"classes", strconv.Itoa(a.C), strconv.Itoa(b.C), "merge parts of one model"},
		{"checkpoint", hash(a.Meta), hash(b.Meta), "merge parts of one model"},
		{"normalization", normalization(a.Meta), normalization(b.Meta), "extract all shards with one --mean and --std"},
		{"type", a.Type, b.Type, "merge parts of one set"},
		{"rows of the set", strconv.Itoa(a.N), strconv.Itoa(b.N), "merge parts of one set"},
		{"set", a.Meta.Set + " " + a.Meta.Split, b.Meta.Set + " " + b.Meta.Split, "merge parts of one set"},
		{"number of shards", strconv.Itoa(a.Of), strconv.Itoa(b.Of), "cut the set into as many shards each time"},
	} {
		if is.a != is.b {
			return fmt.Errorf("%s %s, the parts before have %s: %s", is.what, is.b, is.a, is.wayOut)
		}
	}
	for _, i := range b.Shards {
		if _, there := slices.BinarySearch(a.Shards, i); there {
			return fmt.Errorf("shard %d/%d twice: name each part once", i, a.Of)
		}
	}
	return nil
}

func normalization(m analysis.Meta) string {
	if m.Normalization == nil {
		return "unknown"
	}
	return fmt.Sprint(*m.Normalization)
}

// valid holds what a file says of itself against itself.
func (a about) valid() error {
	switch {
	case a.Version != aboutVersion:
		return fmt.Errorf("version %d of the format, this program reads %d: take the statistics again", a.Version, aboutVersion)
	case a.N < 1 || a.C < 1 || a.D < 1 || a.Of < 1 || a.Of > a.N || len(a.Shards) == 0 || a.Shards[0] < 1 || a.Shards[len(a.Shards)-1] > a.Of:
		return fmt.Errorf("impossible sizes: %d rows, %d classes, %d features, shards %v of %d: take the statistics again", a.N, a.C, a.D, a.Shards, a.Of)
	}
	for i := 1; i < len(a.Shards); i++ {
		if a.Shards[i] <= a.Shards[i-1] {
			return fmt.Errorf("shards %d, %d are not ascending: take the statistics again", a.Shards[i-1], a.Shards[i])
		}
	}
	return nil
}

// WritePart writes statistics as .npz. The file is whole or absent.
func WritePart(path string, p *Part) error {
	c, d := p.Class.C, p.Class.D
	text, err := json.Marshal(p.about())
	if err != nil {
		return fmt.Errorf("analysis: %s: %w", path, err)
	}
	err = npz.Write(path, func(w *npz.Writer) error {
		return errors.Join(npz.Put(w, aboutKey, text), npz.Put(w, "count", p.Class.Count), npz.Put(w, "mean", p.Class.Mean, c, d), npz.Put(w, "deviation", p.Class.Deviation),
			npz.Put(w, "scatter", p.Class.Scatter, d, d), npz.Put(w, "max_abs", p.Tally.MaxAbs), npz.Put(w, "logit_sum", p.LogitSum, c, c))
	})
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// ReadPart reads what WritePart has written; the part's name becomes path.
func ReadPart(path string) (p *Part, err error) {
	err = withPart(path, func(file *npz.File, a about) error {
		p, err = readPart(file, a, path)
		return err
	})
	return p, err
}

// withPart opens a file of statistics; errors of use get its path.
func withPart(path string, use func(*npz.File, about) error) (err error) {
	file, err := npz.Open(path)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, ok := file.Info(aboutKey)
	if !ok || info.DType != npz.Uint8 || info.Len() > maxAbout {
		return fmt.Errorf("analysis: %s: no statistics: take the file that nctrain stats has written", path)
	}
	text, err := file.Uint8s(aboutKey)
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	var a about
	if err = json.Unmarshal(text, &a); err == nil {
		err = a.valid()
	}
	if err == nil {
		err = use(file, a)
	}
	if err != nil {
		return fmt.Errorf("analysis: %s: %w", path, err)
	}
	return nil
}

func readPart(file *npz.File, a about, path string) (*Part, error) {
	c, d := a.C, a.D
	p := &Part{Info: analysis.Info{Name: path, N: a.N, D: d, C: c, Meta: a.Meta}, Of: a.Of, Shards: a.Shards, Checked: a.Checked, Class: &Class{C: c, D: d},
		Tally: Tally{Correct: a.Correct, MaxLogit: a.MaxLogit, Mismatch: a.Mismatch}}
	var err error
	if p.Info.Type, err = analysis.ParseDType(a.Type); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		name  string
		to    *[]float64
		shape []int
	}{
		{"mean", &p.Class.Mean, []int{c, d}}, {"deviation", &p.Class.Deviation, []int{c}}, {"scatter", &p.Class.Scatter, []int{d, d}},
		{"max_abs", &p.Tally.MaxAbs, []int{d}}, {"logit_sum", &p.LogitSum, []int{c, c}},
	} {
		info, ok := file.Info(x.name)
		if !ok || info.DType != npz.Float64 || !slices.Equal(info.Shape, x.shape) {
			return nil, fmt.Errorf("array %s: found %s, want float64 %v: take the statistics again", x.name, info.Form(), x.shape)
		}
		if *x.to, err = file.Float64s(x.name); err != nil {
			return nil, err
		}
		for i, v := range *x.to {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("array %s: value %d is %g: take the statistics again", x.name, i, v)
			}
		}
	}
	if info, ok := file.Info("count"); !ok || !slices.Equal(info.Shape, []int{c}) {
		return nil, fmt.Errorf("array count: found %s, want integers [%d]: take the statistics again", info.Form(), c)
	}
	if p.Class.Count, err = file.Int64s("count"); err != nil {
		return nil, err
	}
	var rows, want int64
	for k, n := range p.Class.Count {
		if n < 0 || n > int64(a.N) {
			return nil, fmt.Errorf("array count: class %d has %d rows of a set of %d: take the statistics again", k, n, a.N)
		}
		rows += n
	}
	for _, i := range a.Shards {
		from, to := ShardRows(a.N, i, a.Of)
		want += int64(to - from)
	}
	if rows != want {
		return nil, fmt.Errorf("array count: %d rows, the shards have %d: take the statistics again", rows, want)
	}
	return p, nil
}

// MergeFiles merges parts that WritePart has written, with memory for two of them. They are merged in the order of their shards, so that the order in which they are named
// changes no bit.
func MergeFiles(paths []string) (*Part, error) {
	type named struct {
		path string
		about
	}
	var all []named
	for _, path := range paths {
		err := withPart(path, func(_ *npz.File, a about) error {
			all = append(all, named{path, a})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("analysis: no parts to merge: name the files that nctrain stats --shard has written")
	}
	slices.SortStableFunc(all, func(a, b named) int { return a.Shards[0] - b.Shards[0] })
	var whole *Part
	for _, each := range all {
		p, err := ReadPart(each.path)
		if err != nil {
			return nil, err
		}
		p.Info.Name = each.Name
		if whole == nil {
			whole = p
			continue
		}
		if whole, err = whole.Merge(p); err != nil {
			return nil, fmt.Errorf("analysis: %s: %w", each.path, err)
		}
	}
	return whole, nil
}
