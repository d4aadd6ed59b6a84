// Command nctrain trains a CIFAR ResNet-18 on hand-written kernels, measures neural collapse over its checkpoints, and compares out-of-distribution scores.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/cmd/nctrain/internal/version"
	"nctrain/internal/blas"
	"nctrain/nn"
)

// Exit statuses (SPEC 9).
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	blas.FitProcessor()
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and gives its exit status.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, stop := interruptible(stderr)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	text, status := describe(command, err)
	fmt.Fprintln(stderr, "nctrain: "+text)
	return status
}

// interruptible gives a context that the first Ctrl-C ends; the second ends the process at once.
func interruptible(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		fmt.Fprintln(stderr, "\nnctrain: stopping after this step (Ctrl-C again ends at once)")
		cancel()
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// usageError is what the command line itself has wrong.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// describe gives the one line for people and the exit status of a command that failed.
func describe(command *cobra.Command, err error) (string, int) {
	text := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
	var stopped *run.Interrupted
	var usage usageError
	var pin *nn.PinError
	switch {
	case errors.As(err, &stopped):
		return fmt.Sprintf("%s: go on with: %s --resume %s", text, command.CommandPath(), stopped.Dir), exitInterrupted
	case errors.Is(err, context.Canceled):
		return "interrupted", exitInterrupted
	case errors.As(err, &usage), errors.As(err, &pin):
		return text, exitUsage
	}
	return text, exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "nctrain",
		Short: "Train image classifiers, watch neural collapse, compare out-of-distribution scores",
		Long: `nctrain trains a ResNet-18 on hand-written kernels, measures neural collapse (NC1..NC5) at its checkpoints, and compares
out-of-distribution (OOD) scores on them.

  nctrain run --data shapes --ood digits --width 8 --epochs 10 --out runs/first     everything, on the built-in sets
  nctrain doctor                                                                   what this machine has, and what is missing

Sets are written KIND:PATH: cifar100:cifar-100-binary.tar.gz, npz:images.npz, or shapes and digits, which are built in.`,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },

		PersistentPreRunE: func(c *cobra.Command, args []string) error {
			if err := checkCommon(c); err != nil {
				return err
			}
			return checkOutputs(c, args)
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		near := ""
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			near = didYouMean(nearFlags(c, unknown.GetSpecifiedName()))
		}
		return usagef("%s: %v%s (%s --help lists the flags)", c.Name(), err, near, c.CommandPath())
	})
	root.AddCommand(newRunCommand(), newTrainCommand(), newFeaturesCommand(), newNCCommand(), newOODCommand(), newScoreCommand(), newStatsCommand(), newExplainCommand(),
		newDataCommand(), newKernelsCommand(), newBenchCommand(), newReportCommand(), newConvertCommand(), newDoctorCommand())
	checkArguments(root)
	return root
}

// checkArguments makes wrong arguments of every command a usage error.
func checkArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%v%s (%s --help)", err, didYouMean(nearCommands(c, args)), c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		checkArguments(sub)
	}
}

// didYouMean goes on after an error that names something unknown.
func didYouMean(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return ": did you mean " + strings.Join(near, ", ") + "?"
}

func nearFlags(c *cobra.Command, name string) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := nearNames(name, names)
	for i := range near {
		near[i] = "--" + near[i]
	}
	return near
}

// nearCommands are the commands under c that its first argument may have meant.
func nearCommands(c *cobra.Command, args []string) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	if len(args) == 0 {
		return nil
	}
	return nearNames(args[0], names)
}

// noArguments is for commands whose input is flags alone.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: unexpected argument %q: this command takes flags alone", c.Name(), args[0])
	}
	return nil
}

// oneSet is for commands that take a data set.
func oneSet(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("data %s: %d sets named: write one, for example nctrain data %s shapes", c.Name(), len(args), c.Name())
	}
	return nil
}
