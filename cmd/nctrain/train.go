package main

import (
	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/nn"
)

func newTrainCommand() *cobra.Command {
	f := &trainFlags{}
	c := &cobra.Command{
		Use:   "train --data SET --out DIR",
		Short: "Train alone: history, checkpoints, and the state to resume from",
		Example: `  nctrain train --data cifar100:cifar-100-binary.tar.gz --out runs/cifar100
  nctrain train --resume runs/cifar100
  nctrain train --resume resnet_200_epoch.pth --data cifar100:cifar-100-binary.tar.gz --out runs/cifar100`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(c.Flags()); err != nil {
				return err
			}
			_, err := f.execute(c, nil, nil)
			return err
		},
	}
	f.register(c.Flags())
	return c
}

// execute starts or resumes the run and trains to its end; analysis, if not nil, is what a resumed run of training alone gets.
func (f *trainFlags) execute(c *cobra.Command, analysis *run.Analysis, ood []run.NamedSet) (*run.Run, error) {
	p := newProgress(f.stdout(c), f.quiet)
	defer p.close()
	var notebook *nn.NotebookRun // read and checked before a device is opened
	var err error
	if f.resume != "" && f.fromFile() {
		if notebook, err = nn.LoadNotebook(f.resume); err != nil {
			return nil, err
		}
	}
	m, o, err := f.options(p)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var r *run.Run
	switch {
	case notebook != nil:
		printMapping(f.stdout(c), notebook.Checkpoint)
		r, err = run.Adopt(f.out, notebook, f.settings, o)
	case f.resume != "":
		r, err = run.Resume(f.resume, analysis, ood, o)
	default:
		r, err = run.Start(f.out, f.settings, o)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := r.Train(c.Context()); err != nil {
		return nil, err
	}
	p.close()
	if r.Results == nil {
		return r, f.outputFlags.write(map[string]any{"run": r.Dir.Path, "history": r.HistoryRows()})
	}
	return r, nil
}
