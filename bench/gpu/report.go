package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// reportName is the table's file, as bench/results/ names them.
func (r *results) reportName() string {
	card := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(r.Doctor.card()), "-"), "-")
	if r.Rehearsal {
		card += "-rehearsal"
	}
	return fmt.Sprintf("%s-gpu-%s.md", r.Date, card)
}

// page is a Markdown page.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// title begins a part, and says how its step ended where it is not whole. It tells whether there is anything to show.
func (p *page) title(text string, o *outcome) bool {
	if o == nil {
		return false
	}
	p.line("\n## %s\n", text)
	if o.Status != done {
		p.line("**This part: %s.**\n", strings.ReplaceAll(o.String(), "\n", " "))
	}
	return true
}

// table begins a table; columns whose name starts with > are numbers.
func (p *page) table(columns ...string) {
	rule := make([]string, len(columns))
	for i, c := range columns {
		rule[i] = "---"
		if name, number := strings.CutPrefix(c, ">"); number {
			columns[i], rule[i] = name, "---:"
		}
	}
	p.line("| %s |\n|%s|", strings.Join(columns, " | "), strings.Join(rule, "|"))
}

func (p *page) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(strings.ReplaceAll(c, "|", "\\|"), "\n", " ")
	}
	p.line("| %s |", strings.Join(cells, " | "))
}

// time is milliseconds, or why there are none. A rehearsal shows no time at all: its own are of toys, and nobody should take one for a card's.
func (r *results) time(c *contender) string {
	switch {
	case c.Problem != "":
		return "failed"
	case r.Emulated && c.Ours:
		return "emulated"
	case r.Rehearsal:
		return "rehearsed"
	case len(c.Ms) == 0:
		return ""
	}
	return number(c.median())
}

// number has three significant digits, or all before the point.
func number(x float64) string {
	switch {
	case x == 0:
		return ""
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

func (r *results) report() []byte {
	p := &page{}
	d := &r.Doctor
	kind := "GPU acceptance"
	if r.Rehearsal {
		kind = "Rehearsal of GPU acceptance, in tiny sizes"
	}
	p.line("%s: %s; %s", kind, d.card(), r.Date)
	if r.Emulated {
		p.line("\n**There was no card: this ran under the emulated driver, which has no speed. It shows that the acceptance runs, not how fast anything is.**")
	}
	p.line("")
	for _, l := range [][2]string{
		{"device", d.Device}, {"precisions", d.Precisions}, {"CUDA", d.CUDA}, {"nvidia-smi (name, driver, memory, power limit, highest clocks)", d.NvidiaSMI},
		{"processor", d.Processor}, {"system", d.System}, {"nctrain", d.Version},
	} {
		if l[1] != "" {
			p.line("- %s: %s", l[0], strings.ReplaceAll(l[1], "\n", "; "))
		}
	}
	p.line("")
	p.table("step", "", "how it ended")
	for _, st := range steps() {
		p.row(st.name, st.what, (*st.outcome(r)).String())
	}
	r.conformanceReport(p)
	r.sanitizerReport(p)
	r.trainingReport(p)
	r.speedReport(p)
	r.cudnnReport(p)
	r.kernelsReport(p)
	return p.Bytes()
}

func (r *results) conformanceReport(p *page) {
	c := &r.Conformance
	if !p.title("Conformance", c.Outcome) {
		return
	}
	p.line("Tests, with subtests: %d passed, %d failed, %d broke off, %d skipped. Each variant against the float64 reference: the greatest error as a share of its derived bound.\n",
		len(c.with(passed)), len(c.with(failing)), len(c.with(unfinished)), len(c.with(skipped)))
	p.table("operation", "variant", "precision", ">calls", ">worst of bound", "")
	for _, row := range c.conformities() {
		p.row(row.Op, row.Variant, row.Precision, fmt.Sprint(row.Calls), fmt.Sprintf("%.3f", row.Worst), row.Status)
	}
	if others := c.with(failing, unfinished, skipped); len(others) > 0 {
		p.line("")
		p.table("suite", "test", "", "says")
		for _, t := range others {
			p.row(t.Suite, t.Name, t.Status, t.Says)
		}
	}
}

func (r *results) sanitizerReport(p *page) {
	z := &r.Sanitizer
	if !p.title("compute-sanitizer", z.Outcome) || len(z.Tools) == 0 {
		return
	}
	p.line("Conformance at the small shapes under `%s`; a tool that was cut off has found nothing in the tests until then.\n", z.Program)
	p.table("tool", ">variants passed under it", ">errors", ">seconds", "", "says")
	for _, t := range z.Tools {
		p.row(t.Name, fmt.Sprint(t.Tests), fmt.Sprint(t.Errors), fmt.Sprintf("%.0f", t.Seconds), t.Status, t.First)
	}
}

func (r *results) trainingReport(p *page) {
	t := &r.Training
	if !p.title("Training steps beside the CPU's", t.Outcome) {
		return
	}
	p.line("ResNet-18 width %d, batch %d of the built-in `shapes`, learning rate %g falling to 0; relative difference from the loss on the CPU (float32, im2col).\n", t.Width, t.Batch, t.LR)
	columns := []string{"", ">worst", ">bar", "reached"}
	for i := range t.CPU {
		columns = append(columns, fmt.Sprintf(">step %d", i+1))
	}
	p.table(columns...)
	row := []string{"CPU, loss", "", "", ""}
	for _, loss := range t.CPU {
		row = append(row, fmt.Sprintf("%.6f", loss))
	}
	p.row(row...)
	for _, run := range t.Runs {
		row := []string{run.Precision, fmt.Sprintf("%.2g", run.Worst), fmt.Sprintf("%g", run.Bar), "yes"}
		if run.Problem != "" {
			row[3] = "no: " + run.Problem
		}
		for i := range min(len(run.Losses), len(t.CPU)) {
			row = append(row, fmt.Sprintf("%+.1e", (run.Losses[i]-t.CPU[i])/t.CPU[i]))
		}
		p.row(row...)
	}
	p.line("\nResume: %s.", t.Resume)
}

func (r *results) speedReport(p *page) {
	s := &r.Speed
	if !p.title("Training step and feature sweep", s.Outcome) {
		return
	}
	p.line("ResNet-18 width %d on 100 classes. Medians of %d interleaved rounds, each the median of many steps after a warm-up; nctrain by the clock around a step and its end, with augmentation "+
		"from the set on the card in it; PyTorch by CUDA events, on a batch that lies ready. %s.", s.Width, s.Rounds, s.Torch)
	for _, g := range s.Groups {
		p.line("\n%s, batch %d:\n", g.Title, g.Batch)
		p.table("contender", ">ms", ">images/s", "range of rounds (ms)", ">nctrain at that precision is faster by", "")
		for _, c := range g.Contenders {
			cells := []string{c.Name, r.time(c), "", "", "", c.Problem}
			if len(c.Ms) > 0 && !r.Rehearsal {
				cells[2] = fmt.Sprintf("%.0f", 1e3*float64(g.Batch)/c.median())
				cells[3] = fmt.Sprintf("%s..%s", number(slices.Min(c.Ms)), number(slices.Max(c.Ms)))
			}
			if ours := g.ours(c.Precision); !c.Ours && ours != nil {
				cells[4] = number(c.over(ours))
			}
			p.row(cells...)
		}
	}
	if len(s.Groups) > 0 {
		s.Groups[0].profiles(p)
	}
}

// profiled is how many of a step's operations the table shows.
const profiled = 12

// profiles are the operations that take most of nctrain's step, at each precision.
func (g *group) profiles(p *page) {
	for _, c := range g.Contenders {
		var profile struct {
			Operations []struct {
				Op         string  `json:"op"`
				Variant    string  `json:"variant"`
				Calls      int     `json:"calls"`
				Ms         float64 `json:"ms"`
				StepShare  float64 `json:"step_share"`
				LimitShare float64 `json:"limit_share"`
			} `json:"operations"`
		}
		if json.Unmarshal(c.Profile, &profile) != nil || len(profile.Operations) == 0 {
			continue // PyTorch, or nothing was measured
		}
		p.line("\nOf %s, batch %d, operation by operation, the %d longest:\n", c.Name, g.Batch, min(profiled, len(profile.Operations)))
		p.table("operation", "variant", ">calls", ">ms", ">of the step %", ">of the roofline %")
		for _, o := range profile.Operations[:min(profiled, len(profile.Operations))] {
			p.row(o.Op, o.Variant, fmt.Sprint(o.Calls), number(o.Ms), number(100*o.StepShare), number(100*o.LimitShare))
		}
	}
}

// ours is nctrain at a precision, or nil.
func (g *group) ours(precision string) *contender {
	for _, c := range g.Contenders {
		if c.Ours && c.Precision == precision {
			return c
		}
	}
	return nil
}

func (r *results) cudnnReport(p *page) {
	c := &r.CuDNN
	if !p.title("Convolutions beside cuDNN's", c.Outcome) || len(c.Layers) == 0 {
		return
	}
	reached, compared := 0, 0
	for _, l := range c.Layers {
		if x := l.Ours.over(&l.CuDNN); x > 0 {
			compared++
			if x <= c.Bar {
				reached++
			}
		}
	}
	p.line("The bar is at most %g times cuDNN's time; compared %d, **%d reach it.** Medians of %d interleaved rounds, replays of a captured graph over operands that no cache holds. nctrain by the variant that it "+
		"takes at the shape; cuDNN by %s, channels_last, `cudnn.benchmark`. In bf16 cuDNN reads and writes bf16, nctrain float32 that it rounds on the way, so cuDNN moves half the bytes.\n",
		c.Bar, compared, reached, c.Rounds, c.Torch)
	p.table("operation", "precision", "shape", "variant", ">nctrain ms", ">cuDNN ms", ">times cuDNN's", "bar reached")
	for _, l := range c.Layers {
		verdict, times := "", ""
		if x := l.Ours.over(&l.CuDNN); x > 0 {
			times, verdict = fmt.Sprintf("%.2f", x), "no"
			if x <= c.Bar {
				verdict = "yes"
			}
		}
		p.row(l.Op, l.Precision, l.Shape, l.Ours.Name, r.time(&l.Ours), r.time(&l.CuDNN), times, verdict)
	}
}

func (r *results) kernelsReport(p *page) {
	k := &r.Kernels
	if !p.title("Every variant at the network's shapes", k.Outcome) {
		return
	}
	if r.Emulated {
		p.line("Width %d, batch %d: counted, since the emulated driver has no speed.\n", k.Width, k.Batch)
		p.table("operation", "variant", "precision", "shape", ">bytes over the least", ">bank conflicts")
		for _, row := range k.Rows {
			p.row(row.Op, row.Variant, row.Precision, row.Shape, fmt.Sprintf("%.2f", row.BytesOfLeast), fmt.Sprintf("%.0f", row.BankConflicts))
		}
	} else {
		p.line("Width %d, batch %d. Rates count the plain algorithm with each operand moved once; the roofline is measured:\n", k.Width, k.Batch)
		for _, precision := range slices.Sorted(maps.Keys(k.Peaks)) {
			p.line("- %s: %s", precision, k.Peaks[precision])
		}
		p.line("")
		p.table("operation", "variant", "precision", "shape", ">ms", ">GFLOP/s", ">GB/s", ">of the roofline %")
		for _, row := range k.Rows {
			p.row(row.Op, row.Variant, row.Precision, row.Shape, number(row.Ms), number(row.GFLOPS), number(row.GBps), number(100*row.LimitShare))
		}
	}
	for _, m := range k.Missing {
		p.line("\nMissing: %s", m)
	}
}
