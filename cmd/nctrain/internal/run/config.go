package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"nctrain/cmd/nctrain/internal/version"
	"nctrain/internal/blas"
	"nctrain/internal/wholefile"
	"nctrain/kernels"
	"nctrain/nn"
)

// Config is config.json: the settings, the sets they found, and each process that worked on the run.
type Config struct {
	Settings Settings             `json:"settings"`
	Sets     map[string]SetRecord `json:"sets"`
	Sessions []Session            `json:"sessions"`
}

// Session is one process that worked on a run: what may change its bits is here.
type Session struct {
	Started   string   `json:"started"`
	Command   []string `json:"command"`
	Version   string   `json:"version"`
	Go        string   `json:"go"`
	BLAS      string   `json:"blas"`
	Device    string   `json:"device"`
	ISA       string   `json:"isa"`
	Threads   int      `json:"threads"`
	Variants  []string `json:"variants"`
	FromEpoch int      `json:"from_epoch"`
	FromBatch int      `json:"from_batch"`
}

func newSession(dev kernels.Device, plan *nn.Plan, p nn.Progress) Session {
	caps := dev.Capabilities()
	return Session{
		Started: time.Now().UTC().Format(time.RFC3339), Command: os.Args, Version: version.String(), Go: runtime.Version(), BLAS: blas.Name(),
		Device: dev.Description(), ISA: caps.ISA, Threads: caps.Threads, Variants: plan.Variants(), FromEpoch: p.Epoch, FromBatch: p.Batch,
	}
}

const configFile = "config.json"

// ReadConfig reads a run directory's config.json.
func ReadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if seeds, err := SeedDirs(dir); err == nil && len(seeds) > 0 {
			return nil, fmt.Errorf("run: %s: keeps the runs of %d seeds: name one of them, for example %s (nctrain report --run %s shows all; run --seeds again goes on with them)",
				dir, len(seeds), seeds[0], dir)
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, describe(dir, err)
		}
		return nil, fmt.Errorf("run: %s: no %s: is it a run directory (the --out of an earlier run or train)?", dir, configFile)
	}
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	c := new(Config)
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(c); err != nil {
		return nil, fmt.Errorf("run: %s: %w: it was changed by hand, or written by another version of nctrain", path, err)
	}
	if err := c.Settings.Validate(); err != nil {
		return nil, fmt.Errorf("run: %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) write(dir string) error {
	return writeJSON(filepath.Join(dir, configFile), c)
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("run: %s: %w", path, err)
	}
	if err := wholefile.WriteBytes(path, 0o644, append(text, '\n')); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}
