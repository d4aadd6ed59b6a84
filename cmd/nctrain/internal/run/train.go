package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nctrain/nn"
)

// Interrupted says where a run was stopped by its context, its state saved.
type Interrupted struct {
	Dir          string
	Epoch, Batch int
	cause        error
}

func (e *Interrupted) Error() string {
	where := fmt.Sprintf("after epoch %d", e.Epoch)
	if e.Batch > 0 {
		where = fmt.Sprintf("in epoch %d, after batch %d", e.Epoch+1, e.Batch)
	}
	return fmt.Sprintf("interrupted %s, state saved", where)
}

func (e *Interrupted) Unwrap() error { return e.cause }

// Train goes on to the last epoch. After each: evaluation, a line of history, the state; then, where weights are due, the checkpoint and its analysis.
func (r *Run) Train(ctx context.Context) error {
	r.observer.Begin(r)
	err := r.train(ctx)
	event := map[string]any{"epoch": r.trainer.Progress.Epoch, "batch": r.trainer.Progress.Batch}
	switch {
	case err == nil:
		return r.log.add("done", event)
	case errors.Is(err, context.Canceled) && !isNonFinite(err):
		_ = r.log.add("interrupted", event) // the interruption is what to report
		return &Interrupted{Dir: r.Dir.Path, Epoch: r.trainer.Progress.Epoch, Batch: r.trainer.Progress.Batch, cause: context.Canceled}
	}
	event["error"] = err.Error()
	_ = r.log.add("failed", event) // on a full disk this fails for the same reason as what is reported
	return err
}

func isNonFinite(err error) bool {
	var bad *nn.NonFiniteError
	return errors.As(err, &bad)
}

func (r *Run) train(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	for r.trainer.Progress.Epoch < r.Config.Settings.Training.Epochs {
		if err := r.epoch(ctx); err != nil {
			return err
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// epoch trains the rest of an epoch, evaluates, and saves.
func (r *Run) epoch(ctx context.Context) error {
	began := time.Now()
	from := r.trainer.Progress.Batch
	epoch, total := r.trainer.Progress.Epoch+1, r.trainer.Batches()
	ended := copyOf(r.trainer.Progress) // where the epoch's last batch leaves it
	line, err := r.trainer.RunEpoch(ctx, func(done int, loss float64) {
		ended = copyOf(r.trainer.Progress)
		r.observer.Batch(epoch, done, total, loss)
	})
	took := time.Since(began)
	if err == nil {
		err = r.evaluate(ctx, &line)
		if errors.Is(err, context.Canceled) {
			r.trainer.Progress = ended // all batches done: resumed, it trains nothing again and goes straight to the evaluation
		}
	}
	switch {
	case isNonFinite(err):
		return fmt.Errorf("run: %s: epoch %d: %w", r.Dir.Path, epoch, err)
	case errors.Is(err, context.Canceled):
		return errors.Join(r.save(), err)
	case err != nil:
		return fmt.Errorf("run: %s: epoch %d: %w", r.Dir.Path, epoch, err)
	}
	r.History = append(r.History, line)
	if err := r.save(); err != nil {
		return err
	}
	if err := writeHistory(r.Dir.Path, r.History, r.Sets.Val != nil); err != nil {
		return err
	}
	batch := r.Config.Settings.Training.BatchSize
	r.observer.Epoch(line, took, r.Sets.Train.Len()-from*batch)
	return r.log.add("epoch", map[string]any{"epoch": line.Epoch, "seconds": took.Seconds(), "train_loss": line.TrainLoss, "train_accuracy": line.TrainAccuracy})
}

func copyOf(p nn.Progress) nn.Progress {
	p.Losses, p.Correct = slices.Clone(p.Losses), slices.Clone(p.Correct)
	return p
}

func (r *Run) evaluate(ctx context.Context, line *nn.Epoch) error {
	for _, e := range []struct {
		name string
		eval *nn.Evaluator
		to   **nn.Evaluation
	}{{"test", r.test, &line.Test}, {"val", r.val, &line.Val}} {
		if e.eval == nil {
			continue
		}
		result, err := e.eval.Evaluate(ctx)
		if err != nil {
			return err
		}
		if math.IsNaN(result.Loss) || math.IsInf(result.Loss, 0) {
			return fmt.Errorf("the %s loss is not finite though the training loss was: lower --lr; the last good state stands", e.name)
		}
		*e.to = &result
	}
	return nil
}

// settle brings checkpoints and their analysis up to the epoch that training has reached. In a run that goes on these are the weights at hand; after a
// kill, or where a run of training alone gets its analysis, weights of earlier epochs are read back for it.
func (r *Run) settle(ctx context.Context) error {
	now := r.trainer.Progress
	settings := &r.Config.Settings
	atHand := now.Batch == 0 && settings.due(now.Epoch)
	if !atHand && r.analyst == nil {
		return nil
	}
	tensors, err := r.model.Save()
	if err != nil {
		return err
	}
	if atHand {
		if err := r.checkpoint(tensors); err != nil {
			return err
		}
	}
	if r.analyst == nil {
		return nil
	}
	for ; r.analysed <= now.Epoch; r.analysed++ {
		if !settings.due(r.analysed) {
			continue
		}
		if err := r.analyseAt(ctx, r.analysed); err != nil {
			return err
		}
	}
	return r.model.Load(tensors)
}

// analyseAt analyses the checkpoint of an epoch, unless that is done.
func (r *Run) analyseAt(ctx context.Context, epoch int) error {
	path := nn.CheckpointPath(r.Dir.Path, epoch)
	began := time.Now()
	tensors, meta, err := nn.LoadWeights(path)
	if errors.Is(err, fs.ErrNotExist) {
		text := fmt.Sprintf("%s is gone: epoch %d cannot be analysed", path, epoch)
		r.observer.Warning(text)
		return r.log.add("warning", map[string]any{"epoch": epoch, "text": text})
	}
	if err != nil {
		return err
	}
	withOOD := len(r.Sets.OOD) > 0 && r.Sets.Test != nil
	if r.Results.has(epoch, meta.Hash, withOOD) {
		return nil
	}
	if err := r.model.Load(tensors); err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	keep := ""
	if r.analyst.settings.KeepFeatures {
		keep = filepath.Join(r.Dir.Path, "features")
		if err := os.MkdirAll(keep, 0o755); err != nil {
			return describe(keep, err)
		}
	}
	row, err := r.analyst.analyse(ctx, tensors, epoch, keep, func(done, total int) { r.observer.Analysing(epoch, done, total) })
	if err != nil {
		return err
	}
	if err := r.Results.Put(row); err != nil {
		return err
	}
	took := time.Since(began)
	r.observer.Analysed(row, took)
	return r.log.add("analysed", map[string]any{"epoch": epoch, "seconds": took.Seconds()})
}
