// Gpu is GPU acceptance in one command (docs/gpu.md): whether the kernels are right on a card, and how fast they are beside PyTorch's. It is what run.sh of
// the archive of `make gpu-bundle` starts, on a machine that needs no Go and no network:
//
//	./run.sh OUT_DIR [--only conformance,training]
//
// Everything that computes is a process of its own with a limit of time, so that what crashes or hangs loses nothing of the rest; what was found so far is in
// OUT_DIR/results.json at any moment, and a further run with --only goes on from there. It exits 1 where the card's results are wrong or were not seen to be
// right; speed never fails it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

func main() {
	s := &session{progress: os.Stdout}
	flags := pflag.NewFlagSet("run.sh", pflag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: ./run.sh OUT_DIR [flags]\n\nsteps, in this order:\n")
		for _, st := range steps() {
			fmt.Fprintf(os.Stderr, "  %-12s %s (at most %v)\n", st.name, st.what, st.limit)
		}
		fmt.Fprintf(os.Stderr, "\nflags:\n%s", flags.FlagUsages())
	}
	only := flags.StringSlice("only", nil, "doctor and these steps alone; the results of others that are in OUT_DIR stay")
	limit := flags.Duration("limit", 9*time.Minute, "for all steps together, and no step goes on after it")
	flags.StringVar(&s.root, "root", ".", "folder of the unpacked archive")
	flags.StringVar(&s.sanitizer, "sanitizer", "", "compute-sanitizer; default: where it is found")
	flags.StringVar(&s.python, "python", "", "a Python with PyTorch; default $NCTRAIN_PYTHON, else python3")
	rehearse := flags.Bool("rehearse", false, "tiny sizes, and PyTorch on the CPU: a trial of this program under the emulated driver")
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return
		}
		fail(2, err)
	}
	if flags.NArg() != 1 {
		fail(2, errors.New("name the folder for the results: ./run.sh OUT_DIR"))
	}
	wanted, err := choose(*only)
	if err != nil {
		fail(2, err)
	}
	s.scale = cardScale
	if *rehearse {
		s.scale = rehearsalScale
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit*time.Duration(s.scale.Patience))
	defer cancel()
	if err := s.open(flags.Arg(0), *rehearse); err != nil {
		fail(1, err)
	}
	if err := s.run(ctx, wanted); err != nil {
		fail(1, err)
	}
	verdict := "accepted"
	if missing := s.results.missing(); len(missing) > 0 {
		verdict = "nothing failed; not run yet: " + strings.Join(missing, ", ")
	}
	fmt.Printf("%s: %s\n", verdict, s.file(s.results.reportName()))
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, "gpu:", err)
	os.Exit(status)
}

// step is a part of the acceptance. run stores what it finds in the session's results as it goes, and calls session.save after each piece; its error is why
// it has not found everything.
type step struct {
	name, what string
	limit      time.Duration
	run        func(*session, context.Context) error
	outcome    func(*results) **outcome
}

func steps() []step {
	return []step{
		{"doctor", "card, driver, processor", 30 * time.Second, (*session).doctor, func(r *results) **outcome { return &r.Doctor.Outcome }},
		{"conformance", "every operation, variant and precision against float64", 150 * time.Second, (*session).conformance, func(r *results) **outcome { return &r.Conformance.Outcome }},
		{"training", "ten steps beside the CPU's; resume to the same bits", 120 * time.Second, (*session).training, func(r *results) **outcome { return &r.Training.Outcome }},
		{"sanitizer", "conformance under compute-sanitizer", 90 * time.Second, (*session).sanitize, func(r *results) **outcome { return &r.Sanitizer.Outcome }},
		{"speed", "training step and feature sweep beside PyTorch's", 210 * time.Second, (*session).speed, func(r *results) **outcome { return &r.Speed.Outcome }},
		{"kernels", "every variant at the network's shapes, beside the roofline", 120 * time.Second, (*session).kernels, func(r *results) **outcome { return &r.Kernels.Outcome }},
		{"cudnn", "the convolutions beside cuDNN's (after kernels)", 150 * time.Second, (*session).cudnn, func(r *results) **outcome { return &r.CuDNN.Outcome }},
	}
}

// choose gives the steps of --only, all without it. The first is always among them: what is measured belongs to a machine.
func choose(only []string) ([]step, error) {
	var names []string
	var chosen []step
	for i, st := range steps() {
		names = append(names, st.name)
		if i == 0 || len(only) == 0 || slices.Contains(only, st.name) {
			chosen = append(chosen, st)
		}
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--only %s: the steps are %s", name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// run does the steps, and says what stands against acceptance. Without a card, or on another machine than that of earlier results, the first ends it, and those stay.
func (s *session) run(ctx context.Context, wanted []step) error {
	fresh := s.results.Doctor.Outcome == nil
	for i, st := range wanted {
		slot := st.outcome(&s.results)
		*slot = &outcome{Status: running, Began: time.Now().Format(time.RFC3339)}
		began := time.Now()
		fmt.Fprintf(s.progress, "%-12s %s\n", st.name, st.what)
		limited, cancel := context.WithTimeout(ctx, st.limit*time.Duration(s.scale.Patience))
		err := st.run(s, limited)
		(*slot).settle(limited, err, time.Since(began))
		cancel()
		fmt.Fprintf(s.progress, "%-12s %s\n", "", *slot)
		if i > 0 || err == nil || fresh {
			if err := s.save(); err != nil {
				return err
			}
		}
		if i == 0 && err != nil {
			return err
		}
	}
	return s.results.verdict()
}
