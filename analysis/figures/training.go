package figures

// History is training over epochs, all of one length; NaN where a value does not exist. Accuracies in percent.
type History struct {
	Epoch, TrainLoss, TrainAccuracy, TestLoss, TestAccuracy, ValLoss, ValAccuracy []float64
}

// Training draws accuracy and, on a logarithmic axis, loss over epochs.
func Training(h History) *Figure {
	accuracy := newEpochPanel("Accuracy", "accuracy (%)")
	loss := newEpochPanel("Loss", "cross-entropy (nats)")
	var accuracies, losses []series
	for i, s := range []struct {
		name           string
		accuracy, loss []float64
	}{{"training (augmented)", h.TrainAccuracy, h.TrainLoss}, {"test", h.TestAccuracy, h.TestLoss}, {"val", h.ValAccuracy, h.ValLoss}} {
		if anyDefined(s.accuracy) {
			accuracies = append(accuracies, series{name: s.name, x: h.Epoch, y: s.accuracy, look: i})
		}
		if anyDefined(s.loss) {
			losses = append(losses, series{name: s.name, x: h.Epoch, y: s.loss, look: i})
		}
	}
	accuracy.addPercentLines(accuracies...)
	loss.addLogLines(losses...)
	return &Figure{rows: [][]*panel{{accuracy, loss}}, width: 360, height: 280}
}
