package nc_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/stats"
)

// small gives a head of c classes and features of two rows for each class of labels.
func small(t *testing.T, c int, labels []int64) nc.Options {
	t.Helper()
	const d = 3
	weight := make([]float64, c*d)
	for i := range weight {
		weight[i] = float64(i%5) - 1.5
	}
	head, err := analysis.NewHead("h.npz", c, d, weight, nil, analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	features := make([]float64, len(labels)*d)
	for i := range features {
		features[i] = math.Sin(float64(3*i + 1))
	}
	return nc.Options{Train: memory(t, features, nil, labels), Head: head, OOD: []analysis.Named{{Name: "noise", Source: memory(t, []float64{1, 2, 3}, nil, []int64{0})}}}
}

func marshal(t *testing.T, r *nc.Result) map[string]any {
	t.Helper()
	text, err := json.Marshal(r) // fails on NaN and Inf
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// nullWithReason checks that group.key is null and says why.
func nullWithReason(t *testing.T, group map[string]any, key, reason string) {
	t.Helper()
	value, there := group[key]
	reasons, _ := group["reasons"].(map[string]any)
	if text, _ := reasons[key].(string); !there || value != nil || !strings.Contains(text, reason) {
		t.Errorf("%s = %v (there: %v), reason %q, want null for %q", key, value, there, text, reason)
	}
}

func TestUndefinedIsNullWithReason(t *testing.T) {
	cases := []struct {
		name, reason string
		o            nc.Options
	}{
		{"one class", "one class", small(t, 1, []int64{0, 0, 0})},
		{"empty class", "class 1 has no rows", small(t, 3, []int64{0, 0, 2, 2, 2})},
	}
	nan := small(t, 2, []int64{0, 1})
	nan.Train = memory(t, []float64{1, 2, 3, 4, math.NaN(), 6}, nil, []int64{0, 1})
	cases = append(cases, struct {
		name, reason string
		o            nc.Options
	}{"NaN", "1 of 2 rows hold NaN or Inf, the first is row 1 (features)", nan})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := compute(t, c.o)
			all := marshal(t, r)
			for group, keys := range map[string][]string{"nc1": {"rank", "notebook", "papyan_code", "quotient", "cdnv"}, "nc2": {"equinorm", "equiangularity", "etf_error"},
				"nc3": {"papyan", "row_l2", "mean_cos", "duality_etf"}, "nc4": {"train"}} {
				for _, key := range keys {
					nullWithReason(t, all[group].(map[string]any), key, c.reason)
				}
			}
			nullWithReason(t, all["nc5"].(map[string]any)["noise"].(map[string]any), "raw", c.reason)
			// What needs no class means is defined without them.
			chance, okChance := of(r.NC5, "noise").Get("chance")
			if want := math.Sqrt(2 / (3 * math.Pi)); okChance == (c.name == "NaN") || (okChance && math.Abs(chance-want) > 1e-15) {
				t.Errorf("chance = %v, %v, want %v", chance, okChance, want)
			}
			if x, ok := r.NC3.Get("bias_collapse"); ok == (c.name == "NaN") || (ok && math.Abs(x-biasOf(t, c.o)) > 1e-13*x) {
				t.Errorf("bias_collapse = %v, %v", x, ok)
			}
			if (c.name == "NaN") != (r.Unusable != nil) {
				t.Errorf("Unusable = %v", r.Unusable)
			}
			if c.name == "empty class" {
				if _, ok := r.NC2.Get("equinorm_weights"); !ok {
					t.Error("the weights' variants need no class means and are null")
				}
				if _, ok := r.Accuracy.Get("train"); !ok {
					t.Error("accuracy needs no class means and is null")
				}
			}
		})
	}
}

// One row a class: S_W is zero whatever the network does, and a 0 in the table would read as complete collapse. One class of two rows is measured, be they equal.
func TestVariabilityNeedsTwoRowsOfAClass(t *testing.T) {
	o := small(t, 3, []int64{0, 1, 2})
	o.Test = o.Train
	all := marshal(t, compute(t, o))
	for _, group := range []string{"nc1", "nc1_test"} {
		for _, key := range []string{"rank", "notebook", "papyan_code", "quotient", "cdnv"} {
			nullWithReason(t, all[group].(map[string]any), key, "no class has two rows")
		}
	}
	if x, ok := all["nc2"].(map[string]any)["equinorm"].(float64); !ok || x <= 0 {
		t.Errorf("equinorm = %v: the means are there", x)
	}
	o = small(t, 3, []int64{0, 1, 2})
	o.Train = memory(t, []float64{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, nil, []int64{0, 0, 1, 2})
	if x, ok := compute(t, o).NC1.Get("rank"); !ok || x != 0 {
		t.Errorf("rank of equal rows = %v, %v, want 0", x, ok)
	}
}

// biasOf is ||W mu_G|| from the rows themselves: the head of small has no bias.
func biasOf(t *testing.T, o nc.Options) float64 {
	t.Helper()
	mean := make([]float64, o.Head.D)
	n := 0
	if err := o.Train.Sweep(t.Context(), func(b *analysis.Block) error {
		for i, x := range b.Features[:b.N*o.Head.D] {
			mean[i%o.Head.D] += x
		}
		n += b.N
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for c := range o.Head.C {
		logit := 0.0
		for j, x := range mean {
			logit += o.Head.Weight[c*o.Head.D+j] * x / float64(n)
		}
		sum += logit * logit
	}
	return math.Sqrt(sum)
}

func of(sets analysis.Ordered[analysis.Values], name string) analysis.Values {
	v, _ := sets.Get(name)
	return v
}

func TestNaNInTestAndOODSetsIsNull(t *testing.T) {
	o := small(t, 2, []int64{0, 0, 1, 1})
	bad := memory(t, []float64{1, 2, math.Inf(1)}, nil, []int64{0})
	o.Test = bad
	r := compute(t, o)
	all := marshal(t, r)
	nullWithReason(t, all["nc4"].(map[string]any), "test", "1 of 1 rows")
	nullWithReason(t, all["accuracy"].(map[string]any), "test", "1 of 1 rows hold NaN or Inf, the first is row 0 (features)")
	if _, ok := r.NC4.Get("train"); !ok || r.Unusable == nil {
		t.Errorf("NC4 of the training set is null, or Unusable is %v", r.Unusable)
	}
	o.Test = memory(t, []float64{1, math.NaN(), 3, 4, 5, 6}, nil, []int64{0, 1})
	nullWithReason(t, marshal(t, compute(t, o))["nc4"].(map[string]any), "test", "1 of 2 rows hold NaN or Inf, the first is row 0 (features)")
	o.Test = memory(t, make([]float64, 6), []float64{1, 2, math.NaN(), 1}, []int64{0, 1})
	nullWithReason(t, marshal(t, compute(t, o))["nc4"].(map[string]any), "test", "1 of 2 rows hold NaN or Inf, the first is row 1 (logits)")
	o.Test, o.OOD[0].Source = nil, bad
	r = compute(t, o)
	nullWithReason(t, marshal(t, r)["nc5"].(map[string]any)["noise"].(map[string]any), "raw", "1 of 1 rows")
	if r.Unusable == nil {
		t.Error("Unusable is nil")
	}
}

func TestConstantFeaturesAreUndefined(t *testing.T) {
	o := small(t, 2, []int64{0, 1})
	o.Train = memory(t, []float64{1, 2, 3, 1, 2, 3}, nil, []int64{0, 1})
	o.Test = memory(t, []float64{1, 2, 3, 3, 2, 2, 0, 1, 4, 4, 1, 0}, nil, []int64{0, 1, 0, 1})
	all := marshal(t, compute(t, o))
	nullWithReason(t, all["nc1"].(map[string]any), "rank", "all class means are equal")
	nullWithReason(t, all["nc2"].(map[string]any), "equinorm", "zero")
	nullWithReason(t, all["nc3"].(map[string]any), "papyan", "zero")
	nullWithReason(t, all["health"].(map[string]any), "rank", "all class means are equal")
	nullWithReason(t, all["health"].(map[string]any), "lambda_ratio", "all class means are equal")
	nullWithReason(t, all["nc1_test"].(map[string]any), "quotient_train_means", "of the training rows all class means are equal")
}

func TestLayoutOfTheResult(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	epoch := 30
	o.Head.Meta.Epoch = &epoch
	r := compute(t, o)
	all := marshal(t, r)
	if all["epoch"] != 30.0 || all["checkpoint"] != "x" || all["n"] != 240.0 {
		t.Errorf("epoch %v, checkpoint %v, n %v", all["epoch"], all["checkpoint"], all["n"])
	}
	nullWithReason(t, all["nc4"].(map[string]any), "test", "no test set")
	nullWithReason(t, all["accuracy"].(map[string]any), "test", "no test set")
	if keys := r.NC1.Keys(); keys[0] != "rank" {
		t.Errorf("the headline of nc1 is %s", keys[0])
	}
	var back nc.Result
	text, _ := json.Marshal(r)
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(&back); string(again) != string(text) {
		t.Errorf("a round trip changes\n%s\nto\n%s", text, again)
	}
}

func TestOtherHeadIsRefusedWithoutHashes(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	other := *o.Head
	other.Weight = append([]float64(nil), other.Weight...)
	other.Weight[0] += 2
	o.Head = &other
	r := compute(t, o)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "W h + b") {
		t.Errorf("known hashes: warnings %q", r.Warnings)
	}
	o.Test = o.Train
	if r = compute(t, o); len(r.Warnings) != 2 {
		t.Errorf("known hashes, train and test: warnings %q", r.Warnings)
	}
	other.Meta.Checkpoint = ""
	if _, err := nc.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another checkpoint") {
		t.Errorf("err %v", err)
	}
}

func TestLabelOutsideTheHeadIsRefused(t *testing.T) {
	o := small(t, 2, []int64{0, 1, 5})
	if _, err := nc.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "row 2 has label 5") {
		t.Errorf("err %v", err)
	}
}

func TestLabelsOfTheTestSetOutsideTheHead(t *testing.T) {
	o := small(t, 2, []int64{0, 0, 1, 1})
	o.Test = memory(t, []float64{1, 2, 3, 3, 2, 1}, nil, []int64{0, 7})
	r := compute(t, o)
	nullWithReason(t, marshal(t, r)["accuracy"].(map[string]any), "test", "1 of 2 labels")
	if len(r.Warnings) != 1 || r.Warnings[0] != "1 of 2 labels of rows are no class of the head" {
		t.Errorf("warnings %q", r.Warnings)
	}
	if _, ok := r.NC4.Get("test"); !ok {
		t.Error("NC4 needs no labels of the test set and is null")
	}
	o.Test = memory(t, []float64{1, 2, 3, 3, 2, 1}, nil, []int64{2, -1})
	nullWithReason(t, marshal(t, compute(t, o))["accuracy"].(map[string]any), "test", "2 of 2 labels")
}

func TestTerminalPhase(t *testing.T) {
	results := make([]*nc.Result, 3)
	for i, p := range []float64{50, 99.9, 100} {
		results[i] = &nc.Result{}
		results[i].Accuracy.Set("train", p)
	}
	if at := nc.TerminalPhase(results); at != 1 {
		t.Errorf("starts at %d", at)
	}
	if at := nc.TerminalPhase(results[:1]); at != -1 {
		t.Errorf("starts at %d without any", at)
	}
}

func TestThreadsDoNotChangeBits(t *testing.T) {
	inputs, _ := golden(t)
	for name, o := range inputs {
		var first string
		for _, threads := range []int{1, 2, 5} {
			o.Threads = threads
			text, err := json.Marshal(compute(t, o))
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = string(text)
			} else if string(text) != first {
				t.Errorf("%s: %d threads give other numbers", name, threads)
			}
		}
	}
}

// What one sweep tells is the same from stored statistics as from the rows; what takes a second one is null and says so.
func TestStoredStatisticsLeaveOutTheSecondSweep(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["imbalanced"]
	want := compute(t, o)
	part, _, err := stats.CollectPart(t.Context(), o.Train.(analysis.Ranger), o.Head, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	part.Info.Name = "all.npz"
	o.Train, o.Test = part.Stored(), o.Train
	got := compute(t, o)
	const reason = "all.npz holds statistics and no rows, and this takes a second sweep"
	if r := got.NC4.Reason("train"); !strings.HasPrefix(r, reason) {
		t.Errorf("nc4.train: %q", r)
	}
	if r := got.PerClass.Reasons["accuracy_train"]; !strings.HasPrefix(r, reason) {
		t.Errorf("accuracy_train of the classes: %q", r)
	}
	train, _ := want.NC4.Get("train")
	if x, ok := got.NC4.Get("test"); !ok || x != train { // the same rows as a test set
		t.Errorf("nc4.test %v, want %v", x, train)
	}
	for _, key := range []string{"nc1.rank", "nc1.cdnv", "nc2.equinorm", "nc3.papyan", "nc5.centred", "accuracy.train", "health.within_condition", "health.zero_units"} {
		if a, b := lookup(t, got, key), lookup(t, want, key); a != b {
			t.Errorf("%s is %v, from the rows %v", key, a, b)
		}
	}
}

func TestOODOfAnotherHeadIsRefused(t *testing.T) {
	inputs, _ := golden(t)
	o := inputs["balanced"]
	features, logits := make([]float64, 3*o.Head.D), make([]float64, 3*o.Head.C)
	for i := range features {
		features[i] = float64(i%7) - 2
	}
	o.Head.Logits(logits, features, 3)
	logits[1] += 10
	far, err := analysis.NewMemory(analysis.Info{Name: "far.npz"}, features, logits, []int64{0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	o.OOD = []analysis.Named{{Name: "far", Source: far}}
	if _, err := nc.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "far.npz, mean of all rows") || !strings.Contains(err.Error(), "another checkpoint") {
		t.Errorf("err %v", err)
	}
}

// typed is a source of features stored in another type.
type typed struct {
	analysis.Source
	stored analysis.DType
}

func (s typed) Info() analysis.Info {
	info := s.Source.Info()
	info.Type = s.stored
	return info
}

// The bound under which the last eigenvalue of S_B is warned of is D eps32 for features of any type (SPEC 4): nothing is cut off there, so it is no floor.
func TestWarningOfAWeakDirectionDoesNotDependOnTheType(t *testing.T) {
	for _, c := range []struct {
		second float64 // of the class means, whose first is 1
		warned bool
	}{{0.1, false}, {1e-4, true}} { // a third of their squares against 3 * 2^-23 = 3.6e-7
		for _, stored := range []analysis.DType{analysis.BFloat16, analysis.Float16, analysis.Float32, analysis.Float64} {
			o := small(t, 3, []int64{0, 1, 2})
			o.Train = typed{memory(t, []float64{1, 0, 0, 1, 0, 0, -1, 0, 0, 0, c.second, 0}, nil, []int64{0, 0, 1, 2}), stored}
			warnings := compute(t, o).NC1.Warnings
			if (len(warnings) == 1) != c.warned || c.warned && !strings.Contains(warnings[0], "eigenvalue 2 of S_B is 3.3e-09 of the first, under D eps32 = 3.6e-07") {
				t.Errorf("%s, second direction %g: warnings %q", stored, c.second, warnings)
			}
		}
	}
}
