package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// thumb is the contact sheet of one set.
type thumb struct {
	name          string // "train", "test", "ood_NAME"
	width, height int    // pixels
	data          template.URL
}

// thumbBytes is far beyond a sheet of 96 images of 64x64 pixels.
const thumbBytes = 16 << 20

// readThumbs reads the contact sheets: training first, then test, val and the OOD sets by name. A run without the folder has none.
func readThumbs(folder string) ([]thumb, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	var all []thumb
	for _, e := range entries {
		name, isPNG := strings.CutSuffix(e.Name(), ".png")
		if !isPNG {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if info, err := e.Info(); err != nil || info.Size() > thumbBytes {
			return nil, fmt.Errorf("report: %s: is no contact sheet of a run: remove it", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		size, err := png.DecodeConfig(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w: remove it, the page is complete without", path, err)
		}
		all = append(all, thumb{name, size.Width, size.Height, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(text))})
	}
	order := func(t thumb) int {
		if at := slices.Index([]string{"train", "test", "val"}, t.name); at >= 0 {
			return at
		}
		return 3
	}
	slices.SortStableFunc(all, func(a, b thumb) int { return order(a) - order(b) })
	return all, nil
}

// readEnding gives the error with which the last process that worked on a run failed; empty where it ended well, works still, or there is no log.
func readEnding(path string) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	defer file.Close()
	ending, err := parseEnding(file)
	if err != nil {
		return "", fmt.Errorf("report: %s: %w", path, err)
	}
	return ending, nil
}

func parseEnding(in io.Reader) (ending string, err error) {
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		// A line too long for the buffer is no event of ours and is passed over in parts; so is one that a kill cut short.
		line, err := lines.ReadSlice('\n')
		var event struct {
			Event string  `json:"event"`
			Error string  `json:"error"`
			Epoch float64 `json:"epoch"`
		}
		if json.Unmarshal(line, &event) == nil {
			switch event.Event {
			case "failed":
				ending = fmt.Sprintf("training stopped after epoch %.0f: %s", event.Epoch, event.Error)
			case "start", "resume", "done":
				ending = ""
			}
		}
		if err == io.EOF {
			return ending, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}
