package analysis

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// File is a source over one feature file or over the shards of a set, read in blocks at each sweep: see OpenFeatures.
type File struct {
	info  Info
	parts []part
}

// part is a file of a set, or loose arrays that belong together.
type part struct {
	start int // index of its first row in the set
	info  Info
	open  opener
	held  rows // where it is the only one, so that it stays open; nil otherwise, so that any number of shards takes one open file
}

// opener opens a part and holds its shapes and types against each other.
type opener func() (rows, error)

// rows is an open part.
type rows interface {
	about() Info
	// sweep hands over rows from..to-1, Block.Start counted in the part.
	sweep(ctx context.Context, from, to int, visit func(*Block) error) error
	Close() error
}

// OpenFeatures opens a set of rows with features [N,D], labels [N] and optionally logits [N,C]. spec is one of
//
//	f.npz, f.safetensors           arrays features, labels, logits; meta beside them or in the metadata
//	f.csv                          columns f0.. or h0.., label, logit0.. under a header, in any order; other columns are left out
//	features=F.npy,labels=L.npy    loose arrays, and logits=G.npy where there are logits; patterns and lists pair in order
//	dir, "shards/*.npz", a,b,c     the files of a directory or pattern by name, or of a list in its order, as one set
//
// Features are float16, 32, 64 or bfloat16, in C or Fortran order, labels integers of any width. Shards must have the same widths, type and checkpoint. Each sweep
// reads the files anew, with memory that does not grow with their size. The caller closes the File.
func OpenFeatures(spec string) (*File, error) {
	f, err := OpenRows(spec)
	if err == nil && f.info.Unlabelled {
		first := f.parts[0].info
		err = errors.Join(fmt.Errorf("analysis: %s: there are no labels, which this set needs: %s", first.Name, howLabelled(first)), f.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// howLabelled tells how a part would carry the labels that it lacks.
func howLabelled(part Info) string {
	switch filepath.Ext(part.Name) {
	case ".npy":
		beside := ""
		if labels, ok := inRole(part.Name, "labels"); ok {
			beside = ", or put " + filepath.Base(labels) + " beside it and name both"
		}
		return "write features=F.npy,labels=L.npy[,logits=G.npy]" + beside
	case ".csv":
		return "add a column label, each row's class as a whole number"
	}
	return fmt.Sprintf("add an array labels, integers [%d]", part.N)
}

// OpenRows is OpenFeatures for rows that are only scored, which need no labels in any format (Info.Unlabelled).
func OpenRows(spec string) (*File, error) {
	openers, err := locate(spec)
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, open := range openers {
		r, err := open()
		if err == nil {
			err = f.add(r, open, spec)
		}
		if r != nil && (err != nil || len(openers) > 1) {
			err = errors.Join(err, r.Close())
		} else if err == nil {
			f.parts[0].held = r
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add appends a part, which must belong to those before.
func (f *File) add(r rows, open opener, spec string) error {
	info := r.about()
	if err := info.validate(); err != nil {
		return err
	}
	if len(f.parts) == 0 {
		f.info = info
	} else {
		if err := sameSet(f.parts[0].info, info); err != nil {
			return err
		}
		f.info.Name = spec
		f.info.Meta = f.info.Meta.common(info.Meta)
	}
	p := part{info: info, open: open}
	if n := len(f.parts); n > 0 {
		p.start = f.parts[n-1].start + f.parts[n-1].info.N
	}
	f.info.N = p.start + info.N
	f.parts = append(f.parts, p)
	return nil
}

// sameSet tells whether two shards can be parts of one set.
func sameSet(a, b Info) error {
	differ := func(what string, found, want any, wayOut string) error {
		return fmt.Errorf("analysis: %s: %s %v, %s has %v: %s", b.Name, what, found, a.Name, want, wayOut)
	}
	logits := func(i Info) string {
		if !i.HasLogits() {
			return "none"
		}
		return fmt.Sprintf("[%d,%d]", i.N, i.C)
	}
	switch {
	case a.D != b.D:
		return differ("features", fmt.Sprintf("[%d,%d]", b.N, b.D), fmt.Sprintf("[%d,%d]", a.N, a.D), "shards of one set have one width: give the files of one model")
	case a.C != b.C:
		return differ("logits", logits(b), logits(a), "shards of one set have the same logits: write them for all of them, of one width, or leave them out")
	case a.Unlabelled != b.Unlabelled:
		without, with := a, b
		if b.Unlabelled {
			without, with = b, a
		}
		return fmt.Errorf("analysis: %s: there are no labels, which %s has: shards of one set have labels all or none: %s", without.Name, with.Name, howLabelled(without))
	case a.Type != b.Type:
		return differ("features in", b.Type, a.Type, "shards of one set have one type: write them again in one")
	case a.Meta.Checkpoint != b.Meta.Checkpoint:
		return differ("meta.checkpoint", hashText(b), hashText(a), "shards of one set come from one model: extract them with the same weights")
	case normalization(a) != normalization(b):
		return differ("images normalised by", normalization(b), normalization(a), "extract all shards with one --mean and --std")
	}
	return nil
}

// normalization of a shard's images, zero where unknown.
func normalization(i Info) (n Normalization) {
	if i.Meta.Normalization != nil {
		n = *i.Meta.Normalization
	}
	return n
}

func hashText(i Info) string {
	if i.Meta.Checkpoint == "" {
		return "none"
	}
	return short(i.Meta.Checkpoint)
}

// common keeps what two shards agree on.
func (m Meta) common(other Meta) Meta {
	if m.Set != other.Set {
		m.Set = ""
	}
	if m.Split != other.Split {
		m.Split = ""
	}
	if m.Version != other.Version {
		m.Version = ""
	}
	if m.Epoch != nil && (other.Epoch == nil || *m.Epoch != *other.Epoch) {
		m.Epoch = nil
	}
	return m
}

// Info describes the set.
func (f *File) Info() Info { return f.info }

// Close closes what OpenFeatures opened.
func (f *File) Close() error {
	if held := f.parts[0].held; held != nil {
		return held.Close()
	}
	return nil
}

// Sweep reads the set from its first row to its last, with memory for one block.
func (f *File) Sweep(ctx context.Context, visit func(*Block) error) error {
	return f.SweepRows(ctx, 0, f.info.N, visit)
}

// SweepRows reads rows from..to-1: of a .csv it reads over those before, of a compressed .npz it unpacks them, of other files it does not touch them.
func (f *File) SweepRows(ctx context.Context, from, to int, visit func(*Block) error) error {
	for _, p := range f.parts {
		first, last := max(from-p.start, 0), min(to-p.start, p.info.N)
		if first >= last {
			continue
		}
		err := p.sweep(ctx, first, last, func(b *Block) error {
			b.Start += p.start
			return visit(b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *part) sweep(ctx context.Context, from, to int, visit func(*Block) error) (err error) {
	r := p.held
	if r == nil {
		if r, err = p.open(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		if now := r.about(); now.N != p.info.N || sameSet(p.info, now) != nil {
			return fmt.Errorf("analysis: %s: it is not the file that it was when the set was opened: leave the shards alone while they are read", p.info.Name)
		}
	}
	return r.sweep(ctx, from, to, visit)
}

// newBlock makes room for the blocks of n rows.
func newBlock(info Info, n int) Block {
	n = min(n, blockRows)
	b := Block{Features: make([]float64, n*info.D), Labels: make([]int64, n)}
	if info.HasLogits() {
		b.Logits = make([]float64, n*info.C)
	}
	return b
}

// resize sets a block to n rows from start on, no more than it was made for.
func (b *Block) resize(info Info, start, n int) {
	b.Start, b.N = start, n
	b.Features, b.Labels = b.Features[:n*info.D], b.Labels[:n]
	if b.Logits != nil {
		b.Logits = b.Logits[:n*info.C]
	}
}
