package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"nctrain/analysis/figures"
)

// history is training over epochs; accuracies in percent, NaN where a value does not exist.
type history struct {
	figures.History
	lr []float64
}

func (h history) epochs() int { return len(h.Epoch) }

// last is the last value that is defined; NaN where none is.
func last(values []float64) float64 {
	for i := len(values) - 1; i >= 0; i-- {
		if !math.IsNaN(values[i]) {
			return values[i]
		}
	}
	return math.NaN()
}

// historyBytes is far beyond the history of any run: a line an epoch.
const historyBytes = 64 << 20

func readHistory(path string) (history, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return history{}, fmt.Errorf("%s: no such file", path)
	}
	if err != nil {
		return history{}, err
	}
	defer file.Close()
	h, err := parseHistory(io.LimitReader(file, historyBytes))
	if err != nil {
		return history{}, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// parseHistory reads history.csv (SPEC 10). Losses that are not finite, of a run that diverged, are undefined here: its log says what happened.
func parseHistory(in io.Reader) (h history, err error) {
	columns := []struct {
		name     string
		to       *[]float64
		share    bool // an accuracy, stored as a share and shown in percent
		optional bool
	}{
		{"epoch", &h.Epoch, false, false}, {"lr", &h.lr, false, false},
		{"train_loss", &h.TrainLoss, false, false}, {"train_accuracy", &h.TrainAccuracy, true, false},
		{"test_loss", &h.TestLoss, false, false}, {"test_accuracy", &h.TestAccuracy, true, false},
		{"val_loss", &h.ValLoss, false, true}, {"val_accuracy", &h.ValAccuracy, true, true},
	}
	lines := csv.NewReader(in)
	header, err := lines.Read()
	if err != nil {
		return history{}, fmt.Errorf("no header: %w", err)
	}
	for i, c := range columns {
		if (i >= len(header) && !c.optional) || (i < len(header) && header[i] != c.name) {
			return history{}, fmt.Errorf("column %d of the header %q should be %s", i+1, header, c.name)
		}
	}
	if len(header) > len(columns) {
		return history{}, fmt.Errorf("the header %q has more than %d columns", header, len(columns))
	}
	for {
		cells, err := lines.Read()
		if err == io.EOF {
			return h, nil
		}
		if err != nil {
			return history{}, err
		}
		line, _ := lines.FieldPos(0)
		for i, text := range cells {
			x := math.NaN()
			if text != "" {
				if x, err = strconv.ParseFloat(text, 64); err != nil {
					return history{}, fmt.Errorf("line %d: %s is %q, not a number", line, columns[i].name, text)
				}
			}
			if math.IsInf(x, 0) {
				x = math.NaN()
			}
			if columns[i].share {
				x *= 100
			}
			*columns[i].to = append(*columns[i].to, x)
		}
		if e := h.Epoch; math.IsNaN(e[len(e)-1]) || (len(e) > 1 && e[len(e)-1] <= e[len(e)-2]) {
			return history{}, fmt.Errorf("line %d: epoch is %q: epochs should rise", line, cells[0])
		}
	}
}
