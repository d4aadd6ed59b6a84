package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nctrain/internal/wholefile"
)

// session is one call of run.sh.
type session struct {
	root, out         string // of the archive, and for the results: absolute
	python, sanitizer string
	scale             scale
	log               *os.File
	progress          io.Writer
	results           results
}

// scale is how large everything is.
type scale struct {
	Width        int    // of the network that is timed
	Batches      []int  // of the steps that are timed
	Steps        int    // timed steps of a process
	Rounds       int    // of everything that is timed beside something else
	TrainWidth   int    // of the network that is trained beside the CPU's
	TrainBatch   int    //
	TrainEpochs  int    // of one step each
	ResumeEpochs int    // of four steps each: so many that one can be interrupted
	Conformance  string // what of TestConformance is run, as -test.run takes it after the test's name; empty: all
	CompileWith  string // torch.compile's backend
	Patience     int    // what the steps' limits of time are multiplied by
}

var cardScale = scale{
	Width: 64, Batches: []int{128, 512}, Steps: 20, Rounds: 3, TrainWidth: 64, TrainBatch: 128, TrainEpochs: 10, ResumeEpochs: 12, CompileWith: "inductor", Patience: 1,
}

// rehearsalScale is for the emulated driver, where a multiplication takes some 30 ns.
var rehearsalScale = scale{
	Width: 4, Batches: []int{2}, Steps: 1, Rounds: 1, TrainWidth: 2, TrainBatch: 4, TrainEpochs: 3, ResumeEpochs: 4, CompileWith: "aot_eager", Patience: 4,
	Conformance: "/^conv_fprop$",
}

// open makes the results' folder, and takes up the results that are in it.
func (s *session) open(out string, rehearsal bool) (err error) {
	if s.root, err = filepath.Abs(s.root); err != nil {
		return err
	}
	if s.out, err = filepath.Abs(out); err != nil {
		return err
	}
	if _, err := os.Stat(s.nctrain()); err != nil {
		return fmt.Errorf("%w: run run.sh from the unpacked archive (make gpu-bundle)", err)
	}
	if s.python == "" {
		s.python = os.Getenv("NCTRAIN_PYTHON")
	}
	if s.python == "" {
		s.python = "python3"
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(s.file("results.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.results.Date, s.results.Rehearsal = time.Now().Format(time.DateOnly), rehearsal
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &s.results); err != nil {
			return fmt.Errorf("%s: %w: it is not of this program: name another folder", s.file("results.json"), err)
		}
		if s.results.Rehearsal != rehearsal {
			return fmt.Errorf("%s is of a rehearsal (--rehearse), or this is one and that is not: name another folder", s.file("results.json"))
		}
	}
	s.log, err = os.OpenFile(s.file("log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

func (s *session) file(name string) string { return filepath.Join(s.out, name) }

func (s *session) nctrain() string { return filepath.Join(s.root, "bin", "nctrain") }

// save writes what was found so far, and the table of it.
func (s *session) save() error {
	text, err := json.MarshalIndent(&s.results, "", " ")
	if err != nil {
		return err
	}
	if err := wholefile.WriteBytes(s.file("results.json"), 0o644, append(text, '\n')); err != nil {
		return err
	}
	return wholefile.WriteBytes(s.file(s.results.reportName()), 0o644, s.results.report())
}

// process is a program that a step starts.
type process struct {
	dir  string   // where it runs; empty: the session's root
	env  []string // beside the session's own
	args []string // of which the first is the program
}

// interruptGrace is how long a process that was told to end may take for it.
const interruptGrace = 5 * time.Second

// command is a process with its children in a group of its own, which ends with the context; what it writes to standard error goes into the log.
func (s *session) command(ctx context.Context, p process) (*exec.Cmd, *bytes.Buffer) {
	fmt.Fprintf(s.log, "\n=== %s %s %s\n", time.Now().Format(time.TimeOnly), strings.Join(p.env, " "), strings.Join(p.args, " "))
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Dir = p.dir
	if cmd.Dir == "" {
		cmd.Dir = s.root
	}
	cmd.Env = append(os.Environ(), p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = interruptGrace
	stderr := new(bytes.Buffer)
	cmd.Stderr = io.MultiWriter(s.log, stderr)
	return cmd, stderr
}

// do runs a process to its end and gives its standard output, which goes into the log too. The error holds the last line of what it said.
func (s *session) do(ctx context.Context, p process) ([]byte, error) {
	cmd, stderr := s.command(ctx, p)
	var stdout bytes.Buffer
	cmd.Stdout = io.MultiWriter(s.log, &stdout)
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = said(fmt.Errorf("%s: %w", filepath.Base(p.args[0]), err), stderr)
	}
	return stdout.Bytes(), err
}

// said adds the last line that a process wrote to standard error to the error that it ended with.
func said(err error, stderr *bytes.Buffer) error {
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return fmt.Errorf("%s (%w)", last, err)
	}
	return err
}

// program runs nctrain and decodes what it writes with --json.
func (s *session) program(ctx context.Context, into any, args ...string) error {
	dir, err := os.MkdirTemp("", "nctrain-gpu")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "out.json")
	env := s.unwatched()
	if args[0] == "kernels" {
		env = nil // the emulated driver counts what it watches
	}
	if _, err := s.do(ctx, process{env: env, args: append([]string{s.nctrain()}, append(args, "--quiet", "--json", file)...)}); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("nctrain %s: %w in what it wrote", strings.Join(args, " "), err)
	}
	return nil
}

// unwatched spares the emulated driver the checks that conformance has made: whole trainings are several times as fast.
func (s *session) unwatched() []string {
	if s.results.Emulated {
		return []string{"NCTRAIN_EMU_WATCH=0"}
	}
	return nil
}
