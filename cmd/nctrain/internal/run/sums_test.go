package run

import (
	"context"
	"math"
	"reflect"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/kernels"
	"nctrain/nn"
	"nctrain/nn/data"
)

// summedBy gives what an analyst takes of the training features of a network of width 1 in batches of some size: the class moments and the tally by the device,
// and those of a sweep over the same features on the host, after so many sweeps of the device.
func summedBy(t *testing.T, dev kernels.Device, choice kernels.Choice, batch, sweeps int) (device, host *stats.Class, deviceTally, hostTally *stats.Tally) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	set, err := data.Open("shapes", data.Train, data.Options{Limit: 23})
	must(err)
	model, err := nn.NewResNet18(set.Classes, 1)
	must(err)
	must(model.Place(dev, kernels.FP32))
	tensors := model.Initial(47)
	must(model.Load(tensors))
	a, err := newAnalyst(dev, model, &Sets{Train: set}, Analysis{}, batch, &nn.MemoryPool{}, nn.PlanOptions{Choice: choice}, 1)
	must(err)
	if !a.summing {
		t.Fatal("the device does not sum")
	}
	head, err := HeadOf(tensors, "head", analysis.Meta{})
	must(err)
	ctx := context.Background()
	for range sweeps {
		rows, err := Collect(ctx, a.train.eval, set, analysis.Meta{}, func(int) {})
		must(err)
		summed, err := a.summed(rows)
		must(err)
		device, deviceTally, err = stats.Collect(ctx, summed, head, 1)
		must(err)
		host, hostTally, err = stats.Collect(ctx, rows, head, 1)
		must(err)
	}
	return device, host, deviceTally, hostTally
}

// apart is the Frobenius norm of a - b over that of b.
func apart(a, b []float64) float64 {
	var off, of float64
	for i := range b {
		off += (a[i] - b[i]) * (a[i] - b[i])
		of += b[i] * b[i]
	}
	return math.Sqrt(off / of)
}

// assertDeviceSums holds a device's class sums against the host's of the same features, for batches that cut the set in other ways, and with each other.
func assertDeviceSums(t *testing.T, dev kernels.Device, choice kernels.Choice) {
	const within = 1e-12
	var first *stats.Class
	for _, batch := range []int{10, 23, 4} {
		sweeps := 1
		if first == nil {
			sweeps = 2 // the second starts anew
		}
		got, want, tally, wantTally := summedBy(t, dev, choice, batch, sweeps)
		if first == nil {
			first = got
		}
		for of, c := range map[string]*stats.Class{"host": want, "first": first} {
			for name, off := range map[string]float64{"S_W": apart(got.Within(), c.Within()), "S_T": apart(got.Total(), c.Total()), "means": apart(got.Mean, c.Mean),
				"deviations": apart(got.Deviation, c.Deviation)} {
				if !(off <= within) {
					t.Errorf("batches of %d: %s is %.2g from the %s's", batch, name, off, of)
				}
			}
			if !reflect.DeepEqual(got.Count, c.Count) {
				t.Errorf("batches of %d: counts %v, the %s's are %v", batch, got.Count, of, c.Count)
			}
		}
		if off := math.Abs(tally.MaxLogit-wantTally.MaxLogit) / math.Abs(wantTally.MaxLogit); off > within {
			t.Errorf("batches of %d: a sum of largest logits of %v, want %v", batch, tally.MaxLogit, wantTally.MaxLogit)
		}
		tally.MaxLogit = wantTally.MaxLogit
		if !reflect.DeepEqual(tally, wantTally) {
			t.Errorf("batches of %d: tally %+v, want %+v", batch, tally, wantTally)
		}
	}
}

func TestPinnedClassMomentsAreTheHosts(t *testing.T) {
	dev, err := kernels.OpenCPU(kernels.CPUOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	assertDeviceSums(t, dev, kernels.Choice{kernels.ClassMoments: "direct"})
}
