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

// exact is the shortest text that reads back as x.
func exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
