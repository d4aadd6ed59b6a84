package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"nctrain/analysis"
	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/table"
)

// number is a value of a result, set for people.
func number(v analysis.Values, key string) string {
	x, ok := v.Get(key)
	return table.Optional(x, ok, table.Number)
}

func percent(v analysis.Values, key string) string {
	x, ok := v.Get(key)
	return table.Optional(x, ok, table.Percent)
}

// printCollapse prints the headlines of each metric, one checkpoint a line.
func printCollapse(w io.Writer, rows []*nc.Result) error {
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(w, "Neural collapse (the headlines of each metric; every one falls towards 0 as features collapse, but nc5 as OOD means turn orthogonal)")
	header := []string{"epoch", "train acc %", "test acc %"}
	headlines := nc.Headlines(rows[0].NC5.Keys())
	for _, h := range headlines {
		header = append(header, h.Key+" "+h.Short())
	}
	t := table.New(header...)
	terminal := nc.TerminalPhase(rows)
	for i, r := range rows {
		epoch := table.Missing
		if r.Epoch != nil {
			epoch = strconv.Itoa(*r.Epoch)
		}
		if i == terminal {
			epoch += " *"
		}
		cells := []string{epoch, percent(r.Accuracy, "train"), percent(r.Accuracy, "test")}
		for _, h := range headlines {
			cells = append(cells, number(h.Of(r, h.Set), h.Variant))
		}
		t.Row(cells...)
	}
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	if terminal >= 0 {
		fmt.Fprintln(w, "  * the terminal phase begins: training accuracy of 99.9 % or more")
	}
	warn(w, rows[len(rows)-1].AllWarnings())
	return nil
}

// printCollapseWhole prints every variant of one checkpoint, and below them why some are undefined.
func printCollapseWhole(w io.Writer, r *nc.Result) error {
	fmt.Fprintf(w, "Neural collapse%s, %s training rows, accuracy: train %s %%, test %s %%\n", of(r.Epoch, r.Checkpoint), table.Count(r.N),
		percent(r.Accuracy, "train"), percent(r.Accuracy, "test"))
	t := table.New("metric", "variant", "value").Left(1)
	var undefined byText
	explain := func(metric string, v analysis.Values) {
		var reasons byText
		for _, key := range v.Keys() {
			reasons.add(key, v.Reason(key))
		}
		for reason, keys := range reasons.scores.All() {
			name := metric
			if len(keys) < len(v.Keys()) {
				name += " " + strings.Join(keys, " ")
			}
			undefined.add(name, reason)
		}
	}
	format := table.Number
	add := func(metric string, v analysis.Values) {
		explain(metric, v)
		for _, key := range v.Keys() {
			x, ok := v.Get(key)
			t.Row(metric, key, table.Optional(x, ok, format))
			metric = ""
		}
	}
	explain("accuracy", r.Accuracy)
	for _, p := range r.Parts() {
		add(strings.TrimSpace(p.Key+" "+p.Set), p.Values)
	}
	format = table.Figure // most are counts
	add("health", r.Health)
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	for reason, names := range undefined.scores.All() {
		fmt.Fprintf(w, "  undefined: %s: %s\n", strings.Join(names, ", "), reason)
	}
	warn(w, r.AllWarnings())
	return nil
}

// printPerClass prints a line a class.
func printPerClass(w io.Writer, r *nc.Result) error {
	p := r.PerClass
	if p == nil {
		fmt.Fprintln(w, "Classes: no numbers are stored for this checkpoint")
		return nil
	}
	fmt.Fprintln(w, "Classes (nctrain explain per_class): variance = mean ||h - mu_c||^2, cos_weight = cos(w_c, mu_c - mu_G), accuracies in percent")
	head := []string{"class", "n", "variance", "mean_norm", "cos_weight", "train acc %"}
	withTest := p.NTest != nil
	if withTest {
		head = append(head, "n_test", "variance_test", "test acc %")
	}
	t := table.New(head...)
	defined := func(x float64, format func(float64) string) string { return table.Optional(x, !math.IsNaN(x), format) }
	for k, n := range p.N {
		cells := []string{strconv.Itoa(k), table.Count(int(n)), defined(p.Variance[k], table.Number), defined(p.MeanNorm[k], table.Number), defined(p.WeightCosine[k], table.Number),
			defined(p.AccuracyTrain[k], table.Percent)}
		if withTest {
			cells = append(cells, table.Count(int(p.NTest[k])), defined(p.VarianceTest[k], table.Number), defined(p.AccuracyTest[k], table.Percent))
		}
		t.Row(cells...)
	}
	return t.Write(w, "  ")
}

// of names a checkpoint where it is known.
func of(epoch *int, hash *string) string {
	text := ""
	if epoch != nil {
		text = fmt.Sprintf(" of epoch %d", *epoch)
	}
	if hash != nil {
		text += fmt.Sprintf(" (weights %.12s)", *hash)
	}
	return text
}

// detectionHeads are the columns of metrics in the tables of detection; each table names the ID accuracy above them.
var detectionHeads = []struct{ name, key string }{
	{"AUROC ↑", "auroc"}, {"FPR95 ↓", "fpr95_ood_pos"}, {"FPR95 ID+ ↓", "fpr95_id_pos"}, {"AUPR out ↑", "aupr_out"}, {"AUPR in ↑", "aupr_in"}, {"OSCR ↑", "oscr"},
}

// printDetection prints one table an OOD set, and one of the means of a preset's groups.
func printDetection(w io.Writer, r *ood.Result) error {
	accuracy := table.Optional(deref(r.IDAccuracy), r.IDAccuracy != nil, table.Percent)
	fmt.Fprintf(w, "Out-of-distribution detection%s, in percent: ↑ larger is better, ↓ smaller\n", of(r.Epoch, r.Checkpoint))
	for name := range r.OOD.All() {
		if err := printDetectionOn(w, r, name, accuracy); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "  FPR95: ID rejected where 95 % of OOD is found; FPR95 ID+: OOD accepted where 95 % of ID is kept; OSCR: pairs in which the ID row is right and scores higher;")
	fmt.Fprintln(w, "  AURC: error of the classifier over the ID rows of largest score, mean over how many")
	if note := r.Intervals; note != nil {
		fmt.Fprintf(w, "  95 %%: of the sampling of test rows alone, %s resamples", table.Count(note.Replicates))
		switch {
		case note.Baseline != "":
			fmt.Fprintf(w, "; less %s: AUROC less its, in points; p: DeLong's, corrected for all comparisons (%d)", note.Baseline, note.Family)
		case r.Detectors.Len() > 1:
			fmt.Fprint(w, "; no differences: msp is not among the scores, and --baseline names no other")
		}
		fmt.Fprintln(w)
	}
	if err := printGroups(w, r, accuracy); err != nil {
		return err
	}
	if err := printThresholds(w, r); err != nil {
		return err
	}
	if err := printFits(w, r); err != nil {
		return err
	}
	warn(w, r.Warnings)
	var fits byText
	for name, v := range r.Detectors.All() {
		fits.add(name, v.Warnings...)
	}
	fits.print(w)
	for _, key := range slices.Sorted(maps.Keys(r.Reasons)) {
		warn(w, []string{key + ": " + r.Reasons[key]})
	}
	return nil
}

// printDetectionOn prints the table of one OOD set.
func printDetectionOn(w io.Writer, r *ood.Result, set, accuracy string) error {
	n, _ := r.NOOD.Get(set)
	base := 100 * float64(n) / float64(max(n+r.NID, 1))
	fmt.Fprintf(w, "%s: %s ID and %s OOD rows (base rate of OOD %s), ID accuracy %s\n", set, table.Count(r.NID), table.Count(n), table.Percent(base), accuracy)
	heads := []string{"score"}
	for _, c := range detectionHeads {
		heads = append(heads, c.name)
	}
	heads = append(heads, "AURC ↓")
	if r.Intervals != nil {
		heads = append(heads, "AUROC 95 %")
	}
	compared, _ := r.Comparisons.Get(set)
	if compared.Len() > 0 {
		heads = append(heads, "less "+r.Intervals.Baseline, "95 % of that", "p (Holm)")
	}
	t := table.New(heads...)
	var reasons []string
	var warnings byText
	scores, _ := r.OOD.Get(set)
	for score, v := range scores.All() {
		cells := []string{score}
		for _, c := range detectionHeads {
			cells = append(cells, percent(v, c.key))
		}
		selective, _ := r.Selective.Get(score)
		cells = append(cells, number(selective, "aurc"))
		if r.Intervals != nil {
			cells = append(cells, interval(v, "auroc_ci95"))
			warnings.add(score, v.Reason("auroc_ci95"))
		}
		if compared.Len() > 0 {
			c, _ := compared.Get(score)
			cells = append(cells, percent(c, "auroc_diff"), interval(c, "auroc_diff_ci95"), number(c, "delong_p_holm"))
			warnings.add(score, c.Reason("auroc_diff_ci95"), c.Reason("delong_p_holm"))
		}
		t.Row(cells...)
		// Why a score is not fitted is the same for all sets, and said once after them.
		if detector, _ := r.Detectors.Get(score); detector.Reason("fit") != "" {
			continue
		}
		if reason := v.Reason("auroc"); reason != "" {
			reasons = append(reasons, score+": "+reason)
		}
		warnings.add(score, v.Warnings...)
	}
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	warn(w, reasons)
	warnings.print(w)
	return nil
}

// byText gathers the scores that give the same warning, or the names that are undefined for the same reason.
type byText struct{ scores analysis.Ordered[[]string] }

// add leaves out empty texts.
func (b *byText) add(score string, texts ...string) {
	for _, text := range texts {
		if scores, _ := b.scores.Get(text); text != "" && !slices.Contains(scores, score) {
			analysis.Gather(&b.scores, text, score)
		}
	}
}

func (b *byText) print(w io.Writer) {
	for text, scores := range b.scores.All() {
		warn(w, []string{strings.Join(scores, ", ") + ": " + text})
	}
}

// printGroups prints the means over the groups of a preset, by its conventions.
func printGroups(w io.Writer, r *ood.Result, accuracy string) error {
	if r.Groups.Len() == 0 {
		return nil
	}
	fmt.Fprintf(w, "%s: means over the sets of each group, AUPR by trapezoids, ID accuracy %s\n", r.Preset, accuracy)
	t := table.New("group", "score", "FPR@95 ↓", "AUROC ↑", "AUPR_IN ↑", "AUPR_OUT ↑").Left(1)
	for name, g := range r.Groups.All() {
		label := g.Label(name)
		for score, v := range g.Scores.All() {
			t.Row(label, score, percent(v, "fpr95_ood_pos"), percent(v, "auroc"), percent(v, "aupr_in_trapz"), percent(v, "aupr_out_trapz"))
			label = ""
		}
	}
	return t.Write(w, "  ")
}

// printThresholds prints the score from which each detector accepts a row, where one was asked for.
func printThresholds(w io.Writer, r *ood.Result) error {
	if r.Thresholds.Len() == 0 {
		return nil
	}
	fmt.Fprintln(w, "Thresholds from the held-out rows (nctrain explain threshold): a row is accepted as in-distribution where its score is at least that, in percent")
	t := table.New("score", "threshold", "asked of ID", "true share of ID, 95 %", "ID test rows accepted")
	var warnings byText
	for score, v := range r.Thresholds.All() {
		t.Row(score, number(v, "threshold"), percent(v, "acceptance"), interval(v, "acceptance_ci95"), percent(v, "id_accepted"))
		warnings.add(score, v.Warnings...)
	}
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	warnings.print(w)
	return nil
}

// printFits prints what the fit of each score found, ranks and floors among it, and the health of the whole.
func printFits(w io.Writer, r *ood.Result) error {
	t := table.New("score", "fitted on", "parameters, and what the fit found (nctrain explain ood.fit)").Left(1, 2)
	for score, v := range r.Detectors.All() {
		if fit, found := v.Text("fit"), figures(v); fit != "none" && found != "" {
			t.Row(score, fit, found)
		}
	}
	if t.Len() > 0 {
		if err := t.Write(w, "  "); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "  health (nctrain explain ood.health): %s\n", figures(r.Health))
	return err
}

// figures lists the numbers of v: "rank 96, floor 8.41e-15".
func figures(v analysis.Values) string {
	var all []string
	for _, key := range v.Keys() {
		if x, ok := v.Get(key); ok {
			all = append(all, key+" "+table.Figure(x))
		}
	}
	return strings.Join(all, ", ")
}

// interval is "96.8..97.6", in percent.
func interval(v analysis.Values, key string) string {
	low, high, ok := v.Pair(key)
	if !ok {
		return table.Missing
	}
	return table.Percent(low) + ".." + table.Percent(high)
}

func deref(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}
