package run

import (
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"nctrain/internal/wholefile"
	"nctrain/nn"
)

const historyFile = "history.csv"

// writeHistory writes one line an epoch. Losses are means of batch means, accuracies shares; test cells are empty where there is no test set, and the val
// columns are there where images are held out.
func writeHistory(dir string, history []nn.Epoch, withVal bool) error {
	header := []string{"epoch", "lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy"}
	if withVal {
		header = append(header, "val_loss", "val_accuracy")
	}
	err := wholefile.Write(filepath.Join(dir, historyFile), 0o644, func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write(header); err != nil {
			return err
		}
		for _, e := range history {
			row := append([]string{strconv.Itoa(e.Epoch), exact(e.LR), exact(e.TrainLoss), exact(e.TrainAccuracy)}, cells(e.Test)...)
			if withVal {
				row = append(row, cells(e.Val)...)
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

func cells(e *nn.Evaluation) []string {
	if e == nil {
		return []string{"", ""}
	}
	return []string{exact(e.Loss), exact(e.Accuracy)}
}

// HistoryRow is a line of the history as JSON, by the names of history.csv.
type HistoryRow struct {
	Epoch         int      `json:"epoch"`
	LR            float64  `json:"lr"`
	TrainLoss     float64  `json:"train_loss"`
	TrainAccuracy float64  `json:"train_accuracy"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	ValLoss       *float64 `json:"val_loss,omitempty"`
	ValAccuracy   *float64 `json:"val_accuracy,omitempty"`
}

// HistoryRows are the run's history for --json.
func (r *Run) HistoryRows() []HistoryRow {
	rows := []HistoryRow{}
	for _, e := range r.History {
		row := HistoryRow{Epoch: e.Epoch, LR: e.LR, TrainLoss: e.TrainLoss, TrainAccuracy: e.TrainAccuracy}
		if e.Test != nil {
			row.TestLoss, row.TestAccuracy = &e.Test.Loss, &e.Test.Accuracy
		}
		if e.Val != nil {
			row.ValLoss, row.ValAccuracy = &e.Val.Loss, &e.Val.Accuracy
		}
		rows = append(rows, row)
	}
	return rows
}

// exact is the shortest text that reads back as x.
func exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
