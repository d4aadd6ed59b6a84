package ood

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
	"nctrain/internal/npz"
	"nctrain/internal/wholefile"
)

// Scored says what fitted detectors gave to a set of rows.
type Scored struct {
	Checkpoint *string `json:"checkpoint"`
	N          int     `json:"n"`
	// Scores: score -> threshold and acceptance as in Result.Thresholds, accepted, the share of these rows whose score is at least the threshold, and the least and the
	// largest score. Percent for shares.
	Scores   analysis.Ordered[analysis.Values] `json:"scores"`
	Warnings []string                          `json:"warnings,omitempty"`
}

// Keep leaves only the named scores, in reporting order. An error where one is not among Names.
func (f *Fitted) Keep(names []string) error {
	for _, name := range names {
		if _, there := f.ready.Get(name); !there {
			return fmt.Errorf("analysis: ood: %s: holds no score %q: choose from %s, or save it with nctrain ood --scores %s --save", f.Head.Name, name, strings.Join(f.Names(), ", "), name)
		}
	}
	var kept scorers
	for name, scorer := range f.ready.All() {
		if slices.Contains(names, name) {
			kept.Set(name, scorer)
		} else {
			release(scorer)
		}
	}
	f.ready = kept
	return nil
}

// ScoreTo scores the rows of src in one sweep, with memory for one block, and writes them to path as its extension says; an empty path writes nothing.
//
//	.csv   a line a row: row, each score, and for scores with a threshold NAME_accepted (1 or 0); numbers read back to the same bits
//	.npz   score/NAME float64 [N], accepted/NAME uint8 [N] for scores with a threshold, and meta of the rows
//
// Rows whose score is at least the threshold are accepted as in-distribution. The file is whole or absent. Errors are those of Score.
func (f *Fitted) ScoreTo(ctx context.Context, src analysis.Source, path string, threads int) (*Scored, error) {
	s := &scoring{f: f, src: src, info: src.Info(), threads: threads, names: f.Names(), counts: make([]tally, f.ready.Len())}
	for k, name := range s.names {
		v, _ := f.Thresholds.Get(name)
		t, ok := v.Get("threshold")
		s.counts[k] = tally{threshold: t, decides: ok, least: math.Inf(1), largest: math.Inf(-1)}
	}
	var err error
	switch write := map[string]func(context.Context, string) error{".csv": s.csv, ".npz": s.npz}[filepath.Ext(path)]; {
	case path == "":
		err = s.sweep(ctx, func(int, [][]float64) error { return nil })
	case write == nil:
		err = fmt.Errorf("analysis: ood: %s: the extension says no known format: name it .csv or .npz", path)
	default:
		err = write(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	return s.summary(), nil
}

// scoring is one sweep of fitted detectors over a set.
type scoring struct {
	f        *Fitted
	src      analysis.Source
	info     analysis.Info
	threads  int
	names    []string
	counts   []tally
	warnings []string
}

// tally of one score over the rows so far.
type tally struct {
	threshold      float64
	decides        bool // there is a threshold
	accepted       int
	least, largest float64
}

func (t *tally) accepts(score float64) bool { return score >= t.threshold }

func (s *scoring) sweep(ctx context.Context, visit func(start int, scores [][]float64) error) (err error) {
	s.warnings, err = s.f.Score(ctx, s.src, s.threads, func(start int, scores [][]float64) error {
		for k := range scores {
			t := &s.counts[k]
			for _, x := range scores[k] {
				t.least, t.largest = min(t.least, x), max(t.largest, x)
				if t.decides && t.accepts(x) {
					t.accepted++
				}
			}
		}
		return visit(start, scores)
	})
	return err
}

func (s *scoring) summary() *Scored {
	out := &Scored{N: s.info.N, Warnings: s.warnings}
	for _, meta := range []analysis.Meta{s.f.Head.Meta, s.info.Meta} {
		if out.Checkpoint == nil && meta.Checkpoint != "" {
			out.Checkpoint = &meta.Checkpoint
		}
	}
	for k, name := range s.names {
		t := s.counts[k]
		saved, _ := s.f.Thresholds.Get(name)
		var v analysis.Values
		if t.decides {
			v.Set("accepted", 100*float64(t.accepted)/float64(s.info.N))
			for _, key := range []string{"threshold", "acceptance"} {
				x, _ := saved.Get(key)
				v.Set(key, x)
			}
			if low, high, ok := saved.Pair("acceptance_ci95"); ok {
				v.SetPair("acceptance_ci95", low, high)
			}
			v.Warnings = saved.Warnings
		} else {
			v.Null("accepted", "the file of detectors holds no threshold: nctrain ood --threshold-at 0.95 --val FILE --save FILE writes them")
		}
		v.Set("least", t.least)
		v.Set("largest", t.largest)
		out.Scores.Set(name, v)
	}
	return out
}

func (s *scoring) csv(ctx context.Context, path string) error {
	var read, written error // an error of the rows names them, and is none of the file that is written
	err := wholefile.Write(path, 0o644, func(w io.Writer) error {
		line := []byte("row")
		for _, name := range s.names {
			line = append(append(line, ','), name...)
		}
		for k, name := range s.names {
			if s.counts[k].decides {
				line = append(append(append(line, ','), name...), "_accepted"...)
			}
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		read = s.sweep(ctx, func(start int, scores [][]float64) error {
			for i := range scores[0] {
				line = strconv.AppendInt(line[:0], int64(start+i), 10)
				for k := range scores {
					line = strconv.AppendFloat(append(line, ','), scores[k][i], 'g', -1, 64)
				}
				for k := range scores {
					if t := &s.counts[k]; t.decides {
						line = append(line, ',', "01"[bit(t.accepts(scores[k][i]))])
					}
				}
				if _, written = w.Write(append(line, '\n')); written != nil {
					return written
				}
			}
			return nil
		})
		return read
	})
	if read != nil && written == nil {
		return read
	}
	if err != nil {
		return fmt.Errorf("analysis: ood: %w", err)
	}
	return nil
}

// npz writes array after array while the sweep gives all scores of a block at once: the blocks wait in a file beside the archive, so that memory does not grow with N.
func (s *scoring) npz(ctx context.Context, path string) error {
	spool, err := os.CreateTemp(filepath.Dir(path), ".scores-*")
	if err != nil {
		return fmt.Errorf("analysis: ood: %s: no room for the scores beside it (%w): choose a folder that can be written", path, err)
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	var blocks []int // rows of each
	buffered := bufio.NewWriterSize(spool, 1<<20)
	err = s.sweep(ctx, func(_ int, scores [][]float64) error {
		blocks = append(blocks, len(scores[0]))
		for _, column := range scores {
			if err := binary.Write(buffered, binary.LittleEndian, column); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, buffered.Flush()); err != nil {
		return err
	}
	err = npz.Write(path, func(w *npz.Writer) error {
		for k, name := range s.names {
			if err := putColumn(w, "score/"+name, s, spool, blocks, k, func(x float64) float64 { return x }); err != nil {
				return err
			}
		}
		for k, name := range s.names {
			t := &s.counts[k]
			if !t.decides {
				continue
			}
			if err := putColumn(w, "accepted/"+name, s, spool, blocks, k, func(x float64) uint8 { return uint8(bit(t.accepts(x))) }); err != nil {
				return err
			}
		}
		return analysis.PutMeta(w, s.info.Meta)
	})
	if err != nil {
		return fmt.Errorf("analysis: ood: %w", err)
	}
	return nil
}

// putColumn copies score k out of the spooled blocks, which hold [score][row], as an array of all rows.
func putColumn[T npz.Number](w *npz.Writer, name string, s *scoring, spool io.ReaderAt, blocks []int, k int, convert func(float64) T) error {
	entry, err := npz.NewEntry[T](w, name, s.info.N)
	if err != nil {
		return err
	}
	var raw []byte
	var out []T
	at := int64(0)
	for _, n := range blocks {
		raw, out = slices.Grow(raw[:0], 8*n)[:8*n], out[:0]
		if _, err := spool.ReadAt(raw, at+int64(8*n*k)); err != nil {
			return fmt.Errorf("the scores spooled beside the file: %w", err)
		}
		for i := range n {
			out = append(out, convert(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))))
		}
		if err := entry.Append(out); err != nil {
			return err
		}
		at += int64(8 * n * len(s.names))
	}
	return entry.Close()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
