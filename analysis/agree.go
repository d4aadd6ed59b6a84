package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"nctrain/internal/scratch"
	"nctrain/internal/vector"
)

// CheckOneCheckpoint refuses to mix what does not belong together: every source must have the head's sizes, and all checkpoint hashes that are
// known must be equal, as must all normalisations of the images. It warns of the parts that carry no hash; for those HeadMismatch must decide, and of those that have no
// logits either, which nothing can.
func CheckOneCheckpoint(head *Head, sources ...Source) (warnings []string, err error) {
	reference, from := head.Meta.Checkpoint, head.Name
	var normalised Info           // the first source that says by what
	var noHash, noLogits []string // names of the parts without a hash, and of those without logits too
	if reference == "" {
		noHash = append(noHash, head.Name)
	}
	for _, src := range sources {
		info := src.Info()
		if info.D != head.D {
			transposed := info.D == head.C && (!info.HasLogits() || info.C == head.D)
			if transposed {
				return nil, fmt.Errorf("analysis: %s: weight [%d,%d] for features [%d,%d] of %s: it is [D,C], want [C,D], a row a class: transpose it",
					head.Name, head.C, head.D, info.N, info.D, info.Name)
			}
			return nil, fmt.Errorf("analysis: %s: features [%d,%d] do not fit the head %s, weight [%d,%d]: take both from one checkpoint",
				info.Name, info.N, info.D, head.Name, head.C, head.D)
		}
		if info.HasLogits() && info.C != head.C {
			return nil, fmt.Errorf("analysis: %s: logits [%d,%d] do not fit the head %s of %d classes: take both from one checkpoint",
				info.Name, info.N, info.C, head.Name, head.C)
		}
		if n, first := info.Meta.Normalization, normalised.Meta.Normalization; n != nil {
			if first == nil {
				normalised = info
			} else if *n != *first {
				return nil, fmt.Errorf("analysis: %s: its images were normalised by mean %v, std %v, those of %s by %v, %v: extract both with one --mean and --std",
					info.Name, n.Mean, n.Std, normalised.Name, first.Mean, first.Std)
			}
		}
		hash := info.Meta.Checkpoint
		switch {
		case hash == "" && !info.HasLogits():
			noLogits = append(noLogits, info.Name)
		case hash == "":
			noHash = append(noHash, info.Name)
		case reference == "":
			reference, from = hash, info.Name
		case hash != reference:
			return nil, fmt.Errorf("analysis: %s: meta.checkpoint %s is not that of %s, %s: extract features and head from one checkpoint",
				info.Name, short(hash), from, short(reference))
		}
	}
	for _, w := range []struct {
		names []string
		text  string
	}{
		{noHash, "no checkpoint hash in %s: only ||logits - (W h + b)|| tells what belongs together"},
		{noLogits, "neither a checkpoint hash nor logits in %s: nothing tells what belongs to the head"},
	} {
		if len(w.names) > 0 {
			warnings = append(warnings, fmt.Sprintf(w.text, strings.Join(w.names, ", ")))
		}
	}
	return warnings, nil
}

func short(hash string) string { return hash[:min(12, len(hash))] }

// mismatchLimit bounds ||logits - (W h + b)|| / (||W||_F ||h|| + ||b||) of a head that belongs to its features. Logits computed in tf32 round
// each factor by at most 2^-11, so each product by about 2^-10, and sum |w||h| <= ||w|| ||h||; float16 storage and float32 arithmetic stay below.
const mismatchLimit = 0x1p-10

// HeadMismatch is the worst ||logits - (W h + b)|| over rows, absolute and relative to ||W||_F ||h|| + ||b||, with the row it occurs at.
type HeadMismatch struct {
	Worst, Relative float64
	Row             int
	gap             gap
}

// gap is W h - logits over the rows of a head without bias: where it is the same in all of them, the bias is what is missing.
type gap struct {
	rows   int
	first  []float64 // [C], that of the first row
	size   float64   // of the numbers it is the difference of, ||W||_F ||h|| + ||gap||
	varies bool      // by more than rounding
}

// merge adds the rows of other.
func (g *gap) merge(other gap) {
	if g.rows == 0 {
		*g = other
		return
	}
	if other.rows > 0 {
		g.rows += other.rows
		g.varies = g.varies || other.varies || !(floats.Distance(g.first, other.first, 2) <= mismatchLimit*(g.size+other.size))
	}
}

// HeadCheck compares logits with those of a head. It is safe for concurrent use.
type HeadCheck struct {
	head           *Head
	weight, offset float64 // ||W||_F and ||b||
}

// NewHeadCheck prepares the comparison with head.
func NewHeadCheck(head *Head) *HeadCheck {
	return &HeadCheck{head, floats.Norm(head.Weight, 2), floats.Norm(head.Bias, 2)}
}

// Mismatch compares logits [n,C] with W h + b of n rows of features, the first of which is row start of its set.
func (k *HeadCheck) Mismatch(features, logits []float64, n, start int) (m HeadMismatch) {
	c, d := k.head.C, k.head.D
	own, apart, size := scratch.Take(n*c), scratch.Take(n), scratch.Take(n)
	defer func() {
		for _, lent := range [][]float64{own, apart, size} {
			scratch.Give(lent)
		}
	}()
	k.head.Logits(own, features, n)
	floats.Sub(own, logits[:n*c])
	vector.Squares(apart, own)
	vector.Squares(size, features[:n*d])
	for i := range n {
		worst := math.Sqrt(apart[i])
		scale := k.weight*math.Sqrt(size[i]) + k.offset
		if worst > 0 {
			m.Merge(HeadMismatch{Worst: worst, Relative: worst / scale, Row: start + i})
		}
		if k.head.Bias == nil && !m.gap.varies {
			m.gap.merge(gap{rows: 1, first: own[i*c : (i+1)*c], size: scale + worst})
		}
	}
	m.gap.first = slices.Clone(m.gap.first)
	return m
}

// Merge keeps the worse of two.
func (m *HeadMismatch) Merge(other HeadMismatch) {
	m.Worst = max(m.Worst, other.Worst)
	if other.Relative > m.Relative {
		m.Relative, m.Row = other.Relative, other.Row
	}
	m.gap.merge(other.gap)
}

// Judge decides whether the head belongs to the features of info: a mismatch beyond what arithmetic explains is an error where a hash is missing on
// either side, and a warning where the hashes agree.
func (m HeadMismatch) Judge(head *Head, info Info) (warning string, err error) {
	if m.Relative <= mismatchLimit {
		return "", nil
	}
	text := fmt.Sprintf("%s: row %d: ||logits - (W h + b)|| is %.2g of ||W|| ||h|| + ||b||, more than rounding (%.2g)", info.Name, m.Row, m.Relative, mismatchLimit)
	foreign := head.Meta.Checkpoint == "" || info.Meta.Checkpoint == ""
	switch {
	case m.gap.rows > 1 && !m.gap.varies && m.Relative > 4*mismatchLimit: // gaps of the size of rounding are all the same
		text += fmt.Sprintf(", and logits - W h is the same in every row: the head %s lacks its bias: save it as bias [%d] beside weight", head.Name, head.C)
	case foreign:
		text += fmt.Sprintf(": the head %s is of another checkpoint: take both from one", head.Name)
	}
	if foreign {
		return "", fmt.Errorf("analysis: %s", text)
	}
	return text, nil
}
