package run

import (
	"context"
	"fmt"
	"path/filepath"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/analysis/stats"
	"nctrain/cmd/nctrain/internal/version"
	"nctrain/kernels"
	"nctrain/nn"
	"nctrain/nn/data"
)

// analyst measures neural collapse and out-of-distribution detection of the weights that a model holds.
type analyst struct {
	settings Analysis
	model    *nn.ResNet18
	train    *member
	val      *member // nil where there is none
	test     *member // nil where there is none
	ood      []*member
	threads  int
	summing  bool // train's evaluator sums its features by class
}

// member is a set with its evaluator.
type member struct {
	name string // "train", "val", "test", or the OOD set's
	file string // in the names of feature files
	set  *data.Set
	eval *nn.Evaluator
}

// Row is what analysis says of one checkpoint. OOD is nil where there is no OOD set, or no test set to hold it against.
type Row struct {
	Epoch      int
	Checkpoint string
	NC         *nc.Result
	OOD        *ood.Result
}

// newAnalyst compiles the evaluation plans of all sets of a run. batch and pool are those of the training, whose plans need more memory.
//
// The class sums of the training features are taken by the cuda device while it computes them; on the cpu device OpenBLAS does it faster afterwards, so that there only a
// pinned variant of class_moments is used.
func newAnalyst(dev kernels.Device, model *nn.ResNet18, sets *Sets, settings Analysis, batch int, pool *nn.MemoryPool, o nn.PlanOptions, threads int) (*analyst, error) {
	a := &analyst{settings: settings, model: model, threads: threads, summing: dev.Kind() == kernels.CUDA || o.Choice[kernels.ClassMoments] != ""}
	add := func(name, file string, set *data.Set) (*member, error) {
		evaluator := nn.NewEvaluator
		if name == "train" && a.summing {
			evaluator = nn.NewSummingEvaluator
		}
		eval, err := evaluator(dev, model, set, batch, pool, o)
		if err != nil {
			return nil, err
		}
		return &member{name, file, set, eval}, nil
	}
	var err error
	if a.train, err = add("train", "train", sets.Train); err != nil {
		return nil, err
	}
	if sets.Val != nil {
		if a.val, err = add("val", "val", sets.Val); err != nil {
			return nil, err
		}
	}
	if sets.Test != nil {
		if a.test, err = add("test", "test", sets.Test); err != nil {
			return nil, err
		}
	}
	for _, s := range sets.OOD {
		m, err := add(s.Name, "ood_"+s.Name, s.Set)
		if err != nil {
			return nil, err
		}
		a.ood = append(a.ood, m)
	}
	return a, nil
}

// rows is the number of images that one analysis passes through the network.
func (a *analyst) rows() int {
	n := a.train.eval.N()
	for _, m := range append([]*member{a.val, a.test}, a.ood...) {
		if m != nil {
			n += m.eval.N()
		}
	}
	return n
}

// analyse measures the weights that the model holds: tensors are what it saved, epoch is theirs. keep, if not empty, is a folder that gets the
// features. progress gets the images passed through the network so far, and how many there are.
func (a *analyst) analyse(ctx context.Context, tensors []nn.Tensor, epoch int, keep string, progress func(done, total int)) (*Row, error) {
	hash := nn.Hash(tensors)
	meta := analysis.Meta{Checkpoint: hash, Epoch: &epoch, Version: version.String()}
	head, err := HeadOf(tensors, fmt.Sprintf("the head of epoch %d", epoch), meta)
	if err != nil {
		return nil, err
	}
	done, total := 0, a.rows()
	collect := func(m *member) (analysis.Source, error) {
		if m == nil {
			return nil, nil
		}
		src, err := Collect(ctx, m.eval, m.set, meta, func(rows int) {
			done += rows
			progress(done, total)
		})
		if err != nil || keep == "" {
			return src, err
		}
		return src, writeFeatures(ctx, filepath.Join(keep, fmt.Sprintf("epoch_%04d_%s.npz", epoch, m.file)), src)
	}
	train, err := collect(a.train)
	if err != nil {
		return nil, err
	}
	val, err := collect(a.val)
	if err != nil {
		return nil, err
	}
	test, err := collect(a.test)
	if err != nil {
		return nil, err
	}
	var others []analysis.Named
	for _, m := range a.ood {
		src, err := collect(m)
		if err != nil {
			return nil, err
		}
		others = append(others, analysis.Named{Name: m.name, Source: src})
	}
	if keep != "" {
		if err := analysis.WriteHead(filepath.Join(keep, fmt.Sprintf("epoch_%04d_head.npz", epoch)), head); err != nil {
			return nil, err
		}
	}
	summed, err := a.summed(train)
	if err != nil {
		return nil, err
	}
	return a.measure(ctx, &Row{Epoch: epoch, Checkpoint: hash}, head, summed, val, test, others)
}

// summed gives the training rows with their class sums: those of the device, or those of a sweep when they are asked for.
func (a *analyst) summed(train analysis.Source) (stats.Summed, error) {
	if !a.summing {
		return stats.Remember(train, a.threads), nil
	}
	s, err := a.train.eval.ClassSums()
	if err != nil {
		return nil, err
	}
	return stats.Given(train, stats.Sums{C: s.C, D: s.D, Count: s.Count, Shift: s.Shift, Sum: s.Sum, Square: s.Square, Second: s.Second}, a.threads), nil
}

func (a *analyst) measure(ctx context.Context, row *Row, head *analysis.Head, train, val, test analysis.Source, others []analysis.Named) (*Row, error) {
	var err error
	if row.NC, err = nc.Compute(ctx, nc.Options{Train: train, Head: head, Test: test, OOD: others, Threads: a.threads}); err != nil {
		return nil, err
	}
	switch {
	case len(others) == 0 || test == nil:
		return row, nil
	case row.NC.Unusable != nil:
		// The run goes on: this checkpoint's scores are null with the reason, and the next one may be sound.
		row.OOD = &ood.Result{Epoch: &row.Epoch, Checkpoint: &row.Checkpoint, Reasons: map[string]string{"ood": row.NC.Unusable.Error()}}
		return row, nil
	}
	// A network that has collapsed onto few points, or is hardly trained, gives equal rows for different images: worth a warning, not the end of a run.
	row.OOD, err = ood.Compute(ctx, ood.Options{
		Train: train, Val: val, ID: test, Head: head, OOD: others, Scores: a.settings.Scores, Notebook: a.settings.Notebook, AllowOverlap: true, Threads: a.threads,
	})
	return row, err
}

// Collect passes a set through the network and keeps features [N,D], logits [N,C] and labels in memory. progress gets the rows of each batch.
func Collect(ctx context.Context, eval *nn.Evaluator, set *data.Set, meta analysis.Meta, progress func(rows int)) (analysis.Source, error) {
	meta.Set, meta.Split = set.Name, set.Split
	var features, logits []float32
	labels := make([]int64, 0, set.Len())
	err := eval.Each(ctx, func(r nn.Rows) error {
		if features == nil {
			features = make([]float32, 0, set.Len()*len(r.Features)/r.N)
			logits = make([]float32, 0, set.Len()*len(r.Logits)/r.N)
		}
		features = append(features, r.Features...)
		logits = append(logits, r.Logits...)
		for _, label := range r.Labels {
			labels = append(labels, int64(label))
		}
		progress(r.N)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return analysis.NewMemory(analysis.Info{Name: set.Name + " (" + set.Split + ")", Meta: meta}, features, logits, labels)
}

// HeadOf takes the last linear layer out of a network's tensors.
func HeadOf(tensors []nn.Tensor, name string, meta analysis.Meta) (*analysis.Head, error) {
	var weight, bias []float32
	var dims []int
	for _, t := range tensors {
		if t.DType != nn.F32 {
			continue
		}
		switch t.Name {
		case "fc.weight":
			weight, dims = nn.View[float32](t), t.Dims
		case "fc.bias":
			bias = nn.View[float32](t)
		}
	}
	if len(dims) != 2 {
		return nil, fmt.Errorf("weights: %s: no float32 fc.weight [C,D]: take the weights of this ResNet-18", name)
	}
	return analysis.NewHead(name, dims[0], dims[1], weight, bias, meta)
}

// writeFeatures writes a source as a feature file.
func writeFeatures(ctx context.Context, path string, src analysis.Source) error {
	return analysis.WriteFeatures(path, src.Info(), func(w *analysis.FeatureWriter) error {
		return src.Sweep(ctx, func(b *analysis.Block) error {
			return w.Append(narrow(b.Features), narrow(b.Logits), b.Labels)
		})
	})
}

// narrow gives back the float32 values that a source in memory widened.
func narrow(wide []float64) []float32 {
	out := make([]float32, len(wide))
	for i, x := range wide {
		out[i] = float32(x)
	}
	return out
}
