package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// results are everything that was found: results.json.
type results struct {
	Date      string `json:"date"`
	Rehearsal bool   `json:"rehearsal"` // tiny sizes
	// Emulated: no card, the emulated driver. Nothing has a speed then, and no time of nctrain's is kept.
	Emulated    bool              `json:"emulated"`
	Doctor      doctorResult      `json:"doctor"`
	Conformance conformanceResult `json:"conformance"`
	Training    trainingResult    `json:"training"`
	Speed       speedResult       `json:"speed"`
	Kernels     kernelsResult     `json:"kernels"`
	CuDNN       cudnnResult       `json:"cudnn"`
	Sanitizer   sanitizerResult   `json:"sanitizer"`
}

// outcome is how a step ended; nil where it was never begun.
type outcome struct {
	Status  string  `json:"status"`
	Reason  string  `json:"reason,omitempty"`
	Began   string  `json:"began"`
	Seconds float64 `json:"seconds"`
}

// Statuses of a step.
const (
	running = "broke off" // what stays in the file where the program itself was killed
	done    = "done"
	failed  = "failed"
	cutOff  = "cut off"
	leftOut = "left out"
)

// errLeftOut says that a step lacks something that the machine need not have.
var errLeftOut = errors.New("left out")

func (o *outcome) settle(ctx context.Context, err error, took time.Duration) {
	o.Seconds = took.Seconds()
	switch {
	case err == nil:
		o.Status = done
		return
	case ctx.Err() != nil:
		o.Status = cutOff
	case errors.Is(err, errLeftOut):
		o.Status = leftOut
	default:
		o.Status = failed
	}
	o.Reason = strings.TrimPrefix(err.Error(), errLeftOut.Error()+": ")
}

func (o *outcome) String() string {
	if o == nil {
		return "not run"
	}
	text := fmt.Sprintf("%s after %.0f s", o.Status, o.Seconds)
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// judged are the steps whose failure is the run's: a wrong result, or one that was not seen to be right.
var judged = []string{"doctor", "conformance", "training"}

// verdict is what stands against acceptance, of what was run. The sanitizer counts where it found something, not where it could not be run to its end.
func (r *results) verdict() error {
	var against []string
	for _, st := range steps() {
		o := *st.outcome(r)
		if o == nil || o.Status == done {
			continue
		}
		if slices.Contains(judged, st.name) || st.name == "sanitizer" && o.Status == failed {
			against = append(against, fmt.Sprintf("%s %s", st.name, o))
		}
	}
	if len(against) == 0 {
		return nil
	}
	return errors.New("not accepted: " + strings.Join(against, "; "))
}

// missing are the judged steps that were not run yet.
func (r *results) missing() []string {
	var names []string
	for _, st := range steps() {
		if *st.outcome(r) == nil && slices.Contains(judged, st.name) {
			names = append(names, st.name)
		}
	}
	return names
}
