package figures

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// wantedTicks is how many labels an axis should carry at least; up to about twice as many come out.
const wantedTicks = 4

// linearTicks labels multiples of 1, 2 or 5 times a power of ten, with the decimals that the step needs.
func linearTicks(low, high float64) (ticks []plot.Tick) {
	if !(high > low) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	exponent := int(math.Floor(math.Log10((high - low) / wantedTicks)))
	step := math.Pow(10, float64(exponent))
	for _, m := range []float64{5, 2} {
		if m*step*wantedTicks <= (high-low)*1.0000001 {
			step *= m
			break
		}
	}
	slack := step * 1e-9
	// Adding 0 turns the -0 that Ceil can give into 0, which prints without sign.
	for i := math.Ceil((low-slack)/step) + 0; i*step <= high+slack; i++ {
		label := strconv.FormatFloat(i*step, 'f', max(0, -exponent), 64)
		if exponent < -5 || exponent > 5 {
			label = strconv.FormatFloat(i*step, 'g', 4, 64)
		}
		ticks = append(ticks, plot.Tick{Value: math.Max(low, math.Min(high, i*step)), Label: label})
	}
	return ticks
}

// wholeTicks is linearTicks with steps of at least 1: for epochs and classes.
func wholeTicks(low, high float64) (ticks []plot.Tick) {
	for _, t := range linearTicks(low, high) {
		if t.Value == math.Trunc(t.Value) {
			t.Label = strconv.FormatFloat(t.Value, 'f', 0, 64)
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// logTicks labels decades, and 2 and 5 within them where fewer than two decades are seen. Between two of those (a loss that falls from 4.7 to 4.4) the axis is as good as linear,
// and an axis of one label or none could not be read.
func logTicks(low, high float64) (ticks []plot.Tick) {
	if low <= 0 || high < low {
		return nil
	}
	decades := math.Log10(high / low)
	every := max(1, int(math.Ceil(decades/8)))
	labelled := 0
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Ceil(math.Log10(high))); e++ {
		for m := 1; m < 10; m++ {
			// Parsed, the value is the nearest to the decimal number, and prints as it.
			value, err := strconv.ParseFloat(strconv.Itoa(m)+"e"+strconv.Itoa(e), 64)
			if err != nil || value < low || value > high {
				continue
			}
			label := ""
			if (m == 1 && e%every == 0) || (decades < 2 && (m == 2 || m == 5)) || decades < 0.3 {
				label = strconv.FormatFloat(value, 'g', -1, 64)
			}
			if label != "" {
				labelled++
			}
			ticks = append(ticks, plot.Tick{Value: value, Label: label})
		}
	}
	if labelled < 2 {
		return linearTicks(low, high)
	}
	return ticks
}
