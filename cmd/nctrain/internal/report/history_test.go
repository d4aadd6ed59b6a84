package report

import (
	"math"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	h, err := parseHistory(strings.NewReader("epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,val_loss,val_accuracy\n1,0.1,2.5,0.25,,,3,0.5\n2,0.05,NaN,0.5,+Inf,0.125,1,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h.epochs() != 2 || h.TrainAccuracy[0] != 25 || h.ValAccuracy[1] != 100 || h.lr[1] != 0.05 || last(h.TestAccuracy) != 12.5 {
		t.Errorf("%+v", h)
	}
	for name, x := range map[string]float64{"an empty cell": h.TestLoss[0], "NaN": h.TrainLoss[1], "Inf": h.TestLoss[1]} {
		if !math.IsNaN(x) {
			t.Errorf("%s is %v, not undefined", name, x)
		}
	}
}

// FuzzHistory: whatever the bytes are, columns that are read have one length, no value is infinite and epochs rise.
func FuzzHistory(f *testing.F) {
	const header = "epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy"
	f.Add(header + "\n1,0.1,2.5,0.25,2,0.5\n")
	f.Add(header + ",val_loss,val_accuracy\n1,0.1,2.5,0.25,,,1,1\n2,0.1,NaN,0.25,,,,\n")
	f.Add(header + "\n1,0.1,2.5,0.25,2\n")
	f.Add(header + "\n2,0,0,0,0,0\n1,0,0,0,0,0\n")
	f.Add("\"epoch\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHistory(strings.NewReader(text))
		if err != nil {
			return
		}
		n := h.epochs()
		for name, column := range map[string][]float64{"lr": h.lr, "train loss": h.TrainLoss, "train accuracy": h.TrainAccuracy, "test loss": h.TestLoss, "test accuracy": h.TestAccuracy} {
			if len(column) != n {
				t.Fatalf("%s has %d values for %d epochs", name, len(column), n)
			}
			for _, x := range column {
				if math.IsInf(x, 0) {
					t.Fatalf("%s is infinite", name)
				}
			}
		}
		for i := 1; i < n; i++ {
			if !(h.Epoch[i] > h.Epoch[i-1]) {
				t.Fatalf("epoch %v after %v", h.Epoch[i], h.Epoch[i-1])
			}
		}
	})
}
