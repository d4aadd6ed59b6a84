package report

import (
	"fmt"
	"math"
	"strconv"

	"nctrain/cmd/nctrain/internal/table"
)

// training sets the first, middle and last epochs of each run, and the curves.
func (p *page) training(runs []*stored, d drawings) {
	g := &grid{Caption: "Training by epoch", Head: heads("epoch", "learning rate", "train loss", "train accuracy %", "test loss", "test accuracy %")}
	val := false
	for _, r := range runs {
		val = val || !math.IsNaN(last(r.history.ValLoss))
	}
	if val {
		g.Head = append(g.Head, heads("val loss", "val accuracy %")...)
	}
	for i := range g.Head[1:] {
		g.Head[i+1].Class = "n"
	}
	for _, r := range runs {
		h := r.history
		if h.epochs() == 0 {
			continue
		}
		if p.many() {
			g.begin(r.name)
		}
		for _, i := range shown(h.epochs()) {
			cells := []cell{{Text: fmt.Sprintf("%.0f", h.Epoch[i]), Head: true}, plain(h.lr[i], rate), plain(h.TrainLoss[i], table.Number),
				plain(h.TrainAccuracy[i], table.Percent), plain(h.TestLoss[i], table.Number), plain(h.TestAccuracy[i], table.Percent)}
			if val {
				loss, accuracy := math.NaN(), math.NaN()
				if len(h.ValLoss) > i && len(h.ValAccuracy) > i {
					loss, accuracy = h.ValLoss[i], h.ValAccuracy[i]
				}
				cells = append(cells, plain(loss, table.Number), plain(accuracy, table.Percent))
			}
			g.add(cells...)
		}
	}
	if len(g.Groups) == 0 {
		return
	}
	p.Training = g
	p.TrainingFigure = &panelSet{Name: "training", Stills: p.stills(d, "training"),
		Caption: "Accuracy and loss over epochs: training with augmentation, as running means; test in evaluation mode." + bandCaption(runs)}
	p.Curves["training"] = trainingCurves(runs)
}

// rate sets a learning rate: four digits, and no zeros behind them.
func rate(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// shown picks about ten of n epochs, first and last among them.
func shown(n int) (at []int) {
	const rows = 10
	if n <= rows {
		for i := range n {
			at = append(at, i)
		}
		return at
	}
	for i := range rows {
		at = append(at, int(math.Round(float64(i)*float64(n-1)/(rows-1))))
	}
	return at
}

func (r *stored) trainingAlt() string {
	h := r.history
	text := fmt.Sprintf("Accuracy and loss over %d epochs; at the end training accuracy %s %%", h.epochs(), table.Percent(last(h.TrainAccuracy)))
	if test := last(h.TestAccuracy); !math.IsNaN(test) {
		text += fmt.Sprintf(", test accuracy %s %%", table.Percent(test))
	}
	return text + "."
}
