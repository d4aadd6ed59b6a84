package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"

	"nctrain/analysis/nc"
	"nctrain/cmd/nctrain/internal/run"
	"nctrain/cmd/nctrain/internal/table"
	"nctrain/nn"
)

// progress tells people how a run goes: a line an epoch and checkpoint, and on a terminal a bar under them.
type progress struct {
	out    io.Writer
	bars   *mpb.Progress // nil where the output is no terminal
	bar    *mpb.Bar
	stage  string // what the bar counts
	loss   float64
	epochs int
	every  bool // lines are wanted
}

func newProgress(out io.Writer, quiet bool) *progress {
	p := &progress{out: out, every: !quiet}
	if file, ok := out.(*os.File); ok && !quiet {
		if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err == nil {
			p.bars = mpb.New(mpb.WithOutput(file), mpb.WithRefreshRate(150*time.Millisecond))
		}
	}
	return p
}

// line prints above the bar.
func (p *progress) line(format string, args ...any) {
	if !p.every {
		return
	}
	text := fmt.Sprintf(format, args...) + "\n"
	if p.bars != nil {
		_, _ = p.bars.Write([]byte(text)) // a line that a closed terminal loses is no failure of the run
		return
	}
	fmt.Fprint(p.out, text)
}

// show sets the bar, a new one where another stage begins.
func (p *progress) show(stage, unit string, done, total int) {
	if p.bars == nil {
		return
	}
	if p.stage != stage {
		p.drop()
		p.stage = stage
		p.bar = p.bars.AddBar(int64(total), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(stage+" ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d/%d "+unit), decor.Any(func(decor.Statistics) string {
				if p.loss == 0 || unit != "batches" {
					return ""
				}
				return fmt.Sprintf("  loss %.4f", p.loss)
			}), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	p.bar.SetCurrent(int64(done))
}

func (p *progress) drop() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar, p.stage = nil, ""
	}
}

// close takes the bars away; what is printed afterwards goes straight out.
func (p *progress) close() {
	p.drop()
	if p.bars != nil {
		p.bars.Wait()
		p.bars = nil
	}
}

func (p *progress) Begin(r *run.Run) {
	s := &r.Config.Settings
	p.epochs = s.Training.Epochs
	session := r.Config.Sessions[len(r.Config.Sessions)-1]
	p.line("%s", session.Device)
	sets := fmt.Sprintf("%s: %s training images of %d classes", s.Data, table.Count(r.Sets.Train.Len()), r.Sets.Train.Classes)
	if r.Sets.Val != nil {
		sets += ", " + table.Count(r.Sets.Val.Len()) + " held out"
	}
	if r.Sets.Test != nil {
		sets += ", " + table.Count(r.Sets.Test.Len()) + " test images"
	}
	p.line("%s", sets)
	for _, o := range r.Sets.OOD {
		text := table.Count(o.Len()) + " images"
		if o.Of > o.Len() {
			text = fmt.Sprintf("%s of %s images", table.Count(o.Len()), table.Count(o.Of))
		}
		p.line("OOD set %s: %s", o.Name, text)
	}
	epochs := "epochs"
	if s.Training.Epochs == 1 {
		epochs = "epoch"
	}
	p.line("ResNet-18 of width %d, %d %s in batches of %d, in %s", s.Width, s.Training.Epochs, epochs, s.Training.BatchSize, r.Dir.Path)
	switch {
	case session.FromEpoch >= s.Training.Epochs:
		p.line("all epochs are trained already")
	case session.FromEpoch > 0 || session.FromBatch > 0:
		p.line("going on after epoch %d, batch %d", session.FromEpoch, session.FromBatch)
	}
}

func (p *progress) Batch(epoch, done, total int, loss float64) {
	p.loss = loss
	p.show(fmt.Sprintf("epoch %d/%d", epoch, p.epochs), "batches", done, total)
}

func (p *progress) Epoch(e nn.Epoch, took time.Duration, images int) {
	p.drop()
	text := fmt.Sprintf("epoch %*d/%d  lr %.2e  train: loss %.4f, %6.2f %%", len(fmt.Sprint(p.epochs)), e.Epoch, p.epochs, e.LR, e.TrainLoss, 100*e.TrainAccuracy)
	for _, part := range []struct {
		name string
		*nn.Evaluation
	}{{"test", e.Test}, {"val", e.Val}} {
		if part.Evaluation != nil {
			text += fmt.Sprintf("  %s: loss %.4f, %6.2f %%", part.name, part.Loss, 100*part.Accuracy)
		}
	}
	p.line("%s  %.1f s, %s images/s", text, took.Seconds(), table.Count(int(float64(images)/took.Seconds())))
}

func (p *progress) Analysing(epoch, done, total int) {
	p.show(fmt.Sprintf("analysis of epoch %d", epoch), "images", done, total)
}

func (p *progress) Analysed(row *run.Row, took time.Duration) {
	p.drop()
	r := row.NC
	text := fmt.Sprintf("  checkpoint %d  un-augmented accuracy: train %s %%, test %s %%", row.Epoch, percent(r.Accuracy, "train"), percent(r.Accuracy, "test"))
	for _, m := range nc.Metrics()[:3] {
		text += fmt.Sprintf("  %s %s", m.Key, number(m.Of(r, ""), m.Headlines[0]))
	}
	if row.OOD != nil {
		for name, scores := range row.OOD.OOD.All() {
			best, at := 0.0, ""
			for score, v := range scores.All() {
				if x, ok := v.Get("auroc"); ok && x > best {
					best, at = x, score
				}
			}
			if at != "" {
				text += fmt.Sprintf("  best AUROC on %s: %s %%, %s", name, table.Percent(best), at)
			}
		}
	}
	p.line("%s  (%.1f s)", text, took.Seconds())
}

func (p *progress) Warning(text string) { p.line("warning: %s", text) }
