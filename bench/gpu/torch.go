package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"nctrain/bench/internal/contest"
)

// torch is torch_peer.py at work.
type torch struct {
	torchVersion
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// torchVersion is its first line.
type torchVersion struct {
	Torch  string `json:"torch"`
	CUDA   string `json:"cuda"`
	CuDNN  string `json:"cudnn"`
	Device string `json:"device"`
	Error  string `json:"error,omitempty"`
}

func (v torchVersion) String() string {
	if v.Error != "" {
		return "PyTorch is left out: " + v.Error
	}
	text := fmt.Sprintf("PyTorch %s on %s", v.Torch, v.Device)
	if v.CuDNN != "" {
		text += fmt.Sprintf(", CUDA %s, cuDNN %s", v.CUDA, v.CuDNN)
	}
	return text
}

// startTorch starts it. Where there is no PyTorch that sees the card the error says so.
func (s *session) startTorch(ctx context.Context) (*torch, error) {
	device := "cuda"
	if s.results.Rehearsal {
		device = "cpu"
	}
	t := &torch{}
	var err error
	var stderr *bytes.Buffer
	t.cmd, stderr = s.command(ctx, process{args: []string{s.python, filepath.Join(s.root, "torch_peer.py"), device}})
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	t.lines = bufio.NewScanner(io.TeeReader(out, s.log))
	err = t.hear(&t.torchVersion)
	if err == nil && t.Error != "" {
		err = errors.New(t.Error)
	}
	if err != nil {
		t.close()
		return nil, said(err, stderr)
	}
	return t, nil
}

// hear reads its next line.
func (t *torch) hear(into any) error {
	if !t.lines.Scan() {
		return errors.Join(t.lines.Err(), errors.New("it ended without an answer"))
	}
	if err := json.Unmarshal(t.lines.Bytes(), into); err != nil {
		return fmt.Errorf("%w in %q", err, t.lines.Text())
	}
	return nil
}

// torchRequest is what torch_peer.py's docstring says.
type torchRequest struct {
	Task         string  `json:"task"`
	Precision    string  `json:"precision"`
	Samples      int     `json:"samples"`
	ChannelsLast *bool   `json:"channels_last,omitempty"`
	Compile      *string `json:"compile,omitempty"`
	Width        int     `json:"width,omitempty"`
	Batch        int     `json:"batch,omitempty"`
	Op           string  `json:"op,omitempty"`
	Shape        *[9]int `json:"shape,omitempty"`
	CacheBytes   int     `json:"cache_bytes,omitempty"`
}

// ask gives the median of what it measures, in milliseconds.
func (t *torch) ask(ctx context.Context, r torchRequest) (float64, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	if _, err := t.in.Write(append(text, '\n')); err != nil {
		return 0, errors.Join(ctx.Err(), err)
	}
	var answer struct {
		Ms    []float64 `json:"ms"`
		Error string    `json:"error"`
	}
	if err := t.hear(&answer); err != nil {
		return 0, errors.Join(ctx.Err(), err)
	}
	if answer.Error != "" || len(answer.Ms) == 0 {
		return 0, errors.New(answer.Error)
	}
	return contest.Median(answer.Ms), nil
}

// close ends it. What it ends with is of no interest: its answers were.
func (t *torch) close() {
	_ = t.in.Close()
	_ = t.cmd.Wait()
}
