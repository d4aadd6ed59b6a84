package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nctrain/cmd/nctrain/internal/version"
	"nctrain/kernels"
	"nctrain/nn"
)

// Options are what a process chooses, beside the settings. A resumed run may have others; where they change bits (device, precision, variants), it warns.
type Options struct {
	Device    kernels.Device
	Precision kernels.Precision
	Choice    kernels.Choice
	Observer  Observer
	Overwrite bool                    // Start: an earlier run in the directory is removed
	Probe     func(*nn.Trainer) error // sees the trainer before the run's weights are there, free to run and profile its plan; may be nil
}

// Observer is told what happens, for people.
type Observer interface {
	// Begin: training goes on from here.
	Begin(r *Run)
	// Batch: so many batches of an epoch (from 1) are done.
	Batch(epoch, done, total int, loss float64)
	// Epoch is done and saved; the time is that of its training steps over so many images.
	Epoch(line nn.Epoch, took time.Duration, images int)
	// Analysing: so many images of a checkpoint have passed through the network.
	Analysing(epoch, done, total int)
	// Analysed: a checkpoint's row stands in the files.
	Analysed(row *Row, took time.Duration)
	Warning(text string)
}

// Run is a run directory with the network, the trainer and the sets of its settings.
type Run struct {
	Config  *Config
	Sets    *Sets
	Dir     *Dir
	History []nn.Epoch
	Results *Results // nil: training alone

	encoded  []byte // settings, as every file carries them
	model    *nn.ResNet18
	trainer  *nn.Trainer
	test     *nn.Evaluator // nil where there is none
	val      *nn.Evaluator
	analyst  *analyst // nil: training alone
	analysed int      // checkpoints before this epoch have their rows
	observer Observer
	log      *eventLog
}

// Start begins a run in a new directory. Nothing is written there before sets, device and network are known to fit.
func Start(path string, settings Settings, o Options) (*Run, error) {
	return create(path, settings, nil, o)
}

// Adopt is Start where the notebook stopped: with its weights and momentum, its schedule and its history.
func Adopt(path string, from *nn.NotebookRun, settings Settings, o Options) (*Run, error) {
	settings.adopt(from)
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("weights: %s: %w", from.Path, err)
	}
	return create(path, settings, from, o)
}

func create(path string, settings Settings, from *nn.NotebookRun, o Options) (*Run, error) {
	sets, err := openSets(&settings)
	if err != nil {
		return nil, err
	}
	if from != nil && from.Model.Classes != sets.Train.Classes {
		return nil, fmt.Errorf("weights: %s: a network of %d classes, %s has %d: name the training set that it was trained on", from.Path, from.Model.Classes,
			sets.Train.Name, sets.Train.Classes)
	}
	r := &Run{Config: &Config{Settings: settings, Sets: sets.Records}, Sets: sets, observer: o.Observer, analysed: settings.first()}
	if err := r.build(o); err != nil {
		return nil, err
	}
	warnings := append(r.warnOfSets(), r.warnOfPins()...)
	if from == nil {
		err = r.model.Load(r.model.Initial(settings.Training.Seed))
	} else {
		var more []string
		more, err = r.restore(from)
		warnings = append(warnings, more...)
	}
	if err != nil {
		return nil, err
	}
	if r.Dir, err = createDir(path, o.Overwrite); err != nil {
		return nil, err
	}
	if err := r.begin(o, "start", warnings); err != nil {
		r.Dir.Discard()
		return nil, err
	}
	return r, nil
}

// warnOfSets tells before hours of training that detection, for which OOD sets were named, has no ID rows to hold them against.
func (r *Run) warnOfSets() []string {
	if r.Config.Settings.Analysis == nil || len(r.Sets.OOD) == 0 || r.Sets.Test != nil {
		return nil
	}
	text := fmt.Sprintf("OOD scores are left out, and nc5 alone looks at the OOD sets: %s has one split, so there are no test images to tell them from: name some with --test",
		r.Config.Settings.Data)
	r.observer.Warning(text)
	return []string{text}
}

// warnOfPins tells of pinned variants that do not all calls of a training step.
func (r *Run) warnOfPins() []string {
	warnings := r.trainer.Plan().Refusals()
	for _, text := range warnings {
		r.observer.Warning(text)
	}
	return warnings
}

// restore puts network, optimiser and history where the notebook stopped.
func (r *Run) restore(from *nn.NotebookRun) (warnings []string, err error) {
	batches := r.trainer.Batches()
	if err := r.trainer.Restore(from.State(r.Config.Settings.Training.Seed, batches)); err != nil {
		return nil, fmt.Errorf("weights: %s: %w", from.Path, err)
	}
	r.History = from.History
	if seen := from.BatchesSeen(); seen != int64(r.trainer.Progress.Step) {
		text := fmt.Sprintf("%s has seen %d batches in %d epochs, an epoch has %d here: it was trained on another set, or with another --batch-size",
			from.Path, seen, from.Meta.Epoch, batches)
		r.observer.Warning(text)
		warnings = append(warnings, text)
	}
	return warnings, nil
}

// Resume goes on with a run. analysis, if not nil, is what a run of training alone gets from now on, with these OOD sets.
func Resume(path string, analysis *Analysis, ood []NamedSet, o Options) (*Run, error) {
	dir, err := Open(path)
	if err != nil {
		return nil, err
	}
	r, err := resume(dir, analysis, ood, o)
	if err != nil {
		dir.Close()
	}
	return r, err
}

func resume(dir *Dir, analysis *Analysis, ood []NamedSet, o Options) (*Run, error) {
	config, err := ReadConfig(dir.Path)
	if err != nil {
		return nil, err
	}
	var warnings []string
	state, warning, err := nn.LoadState(dir.Path)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		o.Observer.Warning(warning)
		warnings = append(warnings, warning)
	}
	settings := &config.Settings
	if err := settings.checkTrained(state.Settings); err != nil {
		return nil, fmt.Errorf("run: %s: %w", filepath.Join(dir.Path, configFile), err)
	}
	if settings.Analysis == nil && analysis != nil {
		settings.Analysis, settings.OOD = analysis, ood
	}
	sets, err := openSets(settings)
	if err != nil {
		return nil, err
	}
	if err := sets.checkSame(config.Sets); err != nil {
		return nil, err
	}
	config.Sets = sets.Records
	r := &Run{Config: config, Sets: sets, Dir: dir, History: state.History, observer: o.Observer, analysed: settings.first()}
	if err := r.build(o); err != nil {
		return nil, err
	}
	warnings = slices.Concat(warnings, r.warnOfSets(), r.warnOfPins())
	if err := r.trainer.Restore(state); err != nil {
		return nil, fmt.Errorf("%s: %w", dir.Path, err)
	}
	if text := r.otherBits(newSession(o.Device, r.trainer.Plan(), r.trainer.Progress), o.Precision); text != "" {
		o.Observer.Warning(text)
		warnings = append(warnings, text)
	}
	if err := r.begin(o, "resume", warnings); err != nil {
		return nil, err
	}
	return r, nil
}

// build makes network, trainer and evaluators.
func (r *Run) build(o Options) error {
	s := &r.Config.Settings
	var err error
	if r.encoded, err = s.encoded(); err != nil {
		return err
	}
	if r.model, err = nn.NewResNet18(r.Sets.Train.Classes, s.Width); err != nil {
		return err
	}
	if err := r.model.Place(o.Device, o.Precision); err != nil {
		return err
	}
	options := nn.PlanOptions{Precision: o.Precision, Choice: o.Choice}
	if r.trainer, err = nn.NewTrainer(o.Device, r.model, r.Sets.Train, s.Training, options); err != nil {
		return err
	}
	pool := r.trainer.Pool()
	if s.Analysis != nil {
		threads := o.Device.Capabilities().Threads
		if r.analyst, err = newAnalyst(o.Device, r.model, r.Sets, *s.Analysis, s.Training.BatchSize, pool, options, threads); err != nil {
			return err
		}
		for _, m := range []struct {
			to   **nn.Evaluator
			from *member
		}{{&r.test, r.analyst.test}, {&r.val, r.analyst.val}} {
			if m.from != nil {
				*m.to = m.from.eval
			}
		}
	} else {
		if r.Sets.Test != nil {
			if r.test, err = nn.NewEvaluator(o.Device, r.model, r.Sets.Test, s.Training.BatchSize, pool, options); err != nil {
				return err
			}
		}
		if r.Sets.Val != nil {
			if r.val, err = nn.NewEvaluator(o.Device, r.model, r.Sets.Val, s.Training.BatchSize, pool, options); err != nil {
				return err
			}
		}
	}
	if o.Probe == nil {
		return nil
	}
	// Weights like those of a training; what the probe does to them is gone when the run's own are loaded.
	if err := r.model.Load(r.model.Initial(s.Training.Seed)); err != nil {
		return err
	}
	return o.Probe(r.trainer)
}

// begin writes what a run directory holds before training: record, history, thumbs, and the state to resume from. The log keeps the warnings given so far.
func (r *Run) begin(o Options, event string, warnings []string) error {
	session := newSession(o.Device, r.trainer.Plan(), r.trainer.Progress)
	r.Config.Sessions = append(r.Config.Sessions, session)
	dir := r.Dir.Path
	fresh := event == "start"
	if fresh {
		if err := r.save(); err != nil {
			return err
		}
		if err := writeThumbs(dir, r.Sets); err != nil {
			return err
		}
	}
	if err := r.Config.write(dir); err != nil {
		return err
	}
	if err := writeHistory(dir, r.History, r.Sets.Val != nil); err != nil {
		return err
	}
	var err error
	if r.analyst != nil {
		if r.Results, err = ReadResults(dir); err != nil {
			return err
		}
		r.Results.cutAfter(r.trainer.Progress.Epoch)
		if err := r.Results.Write(); err != nil {
			return err
		}
	}
	if r.log, err = openLog(dir); err != nil {
		return err
	}
	p := r.trainer.Progress
	err = r.log.add(event, map[string]any{"epoch": p.Epoch, "batch": p.Batch, "device": session.Device, "version": session.Version, "process": os.Getpid()})
	for _, text := range warnings {
		err = errors.Join(err, r.log.add("warning", map[string]any{"text": text}))
	}
	if err != nil {
		return errors.Join(err, r.log.Close())
	}
	return nil
}

// otherBits says why this process may compute other bits than the one before it; empty where it will not.
func (r *Run) otherBits(now Session, precision kernels.Precision) string {
	if len(r.Config.Sessions) == 0 {
		return ""
	}
	last := r.Config.Sessions[len(r.Config.Sessions)-1]
	why := ""
	switch {
	case last.ISA != now.ISA:
		why = fmt.Sprintf("the run goes on on %s, it was on %s", now.ISA, last.ISA)
	case r.Config.Settings.Precision != precision.String():
		why = fmt.Sprintf("the run goes on in %v, it was in %s", precision, r.Config.Settings.Precision)
	case !slices.Equal(last.Variants, now.Variants):
		why = "the kernel variants are not those it had (config.json, sessions)"
	case last.Version != now.Version:
		why = fmt.Sprintf("the run goes on with nctrain %s, it was with %s", now.Version, last.Version)
	case last.BLAS != now.BLAS:
		why = fmt.Sprintf("the analysis goes on with %s, it was with %s", now.BLAS, last.BLAS)
	default:
		return ""
	}
	return why + ": its numbers will be as good, its last bits may not be those of a run that was never stopped"
}

// Close gives files and the lock back.
func (r *Run) Close() error {
	var err error
	if r.log != nil {
		err = r.log.Close()
	}
	return errors.Join(err, r.Dir.Close())
}

// save writes the state to resume from.
func (r *Run) save() error {
	state, err := r.trainer.Snapshot(r.encoded, r.History)
	if err != nil {
		return err
	}
	return nn.SaveState(r.Dir.Path, state)
}

// checkpoint writes the weights of the epoch at hand.
func (r *Run) checkpoint(tensors []nn.Tensor) error {
	epoch := r.trainer.Progress.Epoch
	path := nn.CheckpointPath(r.Dir.Path, epoch)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return describe(path, err)
	}
	hash, err := nn.SaveWeights(path, tensors, nn.Metadata{Version: version.String(), Epoch: epoch, Settings: r.encoded, Val: r.Sets.valIndices()})
	if err != nil {
		return err
	}
	return r.log.add("checkpoint", map[string]any{"epoch": epoch, "hash": hash})
}
