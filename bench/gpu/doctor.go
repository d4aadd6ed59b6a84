package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// doctorResult is the machine.
type doctorResult struct {
	Outcome    *outcome `json:"outcome"`
	Version    string   `json:"version"`
	Device     string   `json:"device"` // card, compute capability, multiprocessors, memory
	Precisions string   `json:"precisions"`
	CUDA       string   `json:"cuda"`       // driver and versions
	NvidiaSMI  string   `json:"nvidia_smi"` // name, driver, memory, power limit and highest clocks as nvidia-smi tells them
	Processor  string   `json:"processor"`
	System     string   `json:"system"`
}

// card is the device's name alone.
func (d *doctorResult) card() string {
	if d.Device == "" {
		return "no card"
	}
	name, _, _ := strings.Cut(d.Device, ",")
	return name
}

// emulatedDriver is how doctor names the one that is no card.
const emulatedDriver = "emulated driver"

func (s *session) doctor(ctx context.Context) error {
	before := &s.results.Doctor
	d := doctorResult{Outcome: before.Outcome}
	var findings []struct{ What, Found string }
	if err := s.program(ctx, &findings, "doctor", "--device", "cuda"); err != nil {
		return err
	}
	for _, f := range findings {
		switch f.What {
		case "nctrain":
			d.Version = f.Found
		case "device":
			d.Device = f.Found
		case "precisions":
			d.Precisions = f.Found
		case "CUDA":
			d.CUDA = f.Found
		}
	}
	if d.Device == "" || d.CUDA == "" {
		return errors.New("nctrain doctor does not tell device and driver")
	}
	if before.Device != "" && (before.Device != d.Device || before.Version != d.Version) {
		return fmt.Errorf("%s holds results of %s with nctrain %s, this is %s with %s: name another folder", s.out, before.Device, before.Version, d.Device, d.Version)
	}
	s.results.Emulated = strings.HasPrefix(d.CUDA, emulatedDriver)
	d.Processor = fieldOf("/proc/cpuinfo", "model name")
	d.System = strings.Trim(fieldOf("/etc/os-release", "PRETTY_NAME"), `"`)
	if _, err := exec.LookPath("nvidia-smi"); err == nil {
		text, err := s.do(ctx, process{args: []string{"nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.mem", "--format=csv,noheader"}})
		d.NvidiaSMI = strings.TrimSpace(string(text))
		if err != nil { // told, and no more: the driver itself is what counts
			d.NvidiaSMI = err.Error()
		}
	}
	*before = d
	return nil
}

// fieldOf is the value of the first "KEY: value" or "KEY=value" line of a file, or "unknown".
func fieldOf(path, key string) string {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if i := strings.IndexAny(line, ":="); i >= 0 && strings.TrimSpace(line[:i]) == key {
			return strings.TrimSpace(line[i+1:])
		}
	}
	return "unknown"
}
