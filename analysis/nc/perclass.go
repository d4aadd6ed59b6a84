package nc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis/stats"
)

// perClassTable: numbers of single classes.
var perClassTable = variants{
	{"n", "training rows of the class"},
	{"variance", "mean ||h - mu_c||^2 of the training rows"},
	{"mean_norm", "||mu_c - mu_G||, mu_G the mean of all rows"},
	{"cos_weight", "cos(w_c, mu_c - mu_G); 1 is collapse"},
	{"accuracy_train", "share of the training rows of the class that are classified as it, percent"},
	{"n_test", "test rows of the class"},
	{"variance_test", "mean ||h - mu_c||^2 of the test rows about their own mean"},
	{"accuracy_test", "share of the test rows of the class that are classified as it, percent"},
}

// PerClass has a value a class in each column. What is undefined is NaN here and null in JSON, with the reason.
type PerClass struct {
	N             []int64 `json:"n"`
	Variance      column  `json:"variance"`
	MeanNorm      column  `json:"mean_norm"`
	WeightCosine  column  `json:"cos_weight"`
	AccuracyTrain column  `json:"accuracy_train"`
	// Test columns are nil without test rows.
	NTest        []int64 `json:"n_test,omitempty"`
	VarianceTest column  `json:"variance_test,omitempty"`
	AccuracyTest column  `json:"accuracy_test,omitempty"`
	// Reasons: column -> why it has undefined values.
	Reasons map[string]string `json:"reasons,omitempty"`
}

// column of numbers, null in JSON where not finite.
type column []float64

func (c column) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, x := range c {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendFloat(out, x, 'g', -1, 64)
		}
	}
	return append(out, ']'), nil
}

func (c *column) UnmarshalJSON(text []byte) error {
	var values []*float64
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&values); err != nil {
		return err
	}
	*c = make(column, len(values))
	for i, x := range values {
		(*c)[i] = math.NaN()
		if x != nil {
			(*c)[i] = *x
		}
	}
	return nil
}

// perClass measures each class. test is nil where there are no test rows that can be measured.
func (m *measure) perClass(train agreement, test *stats.Class, onTest agreement) *PerClass {
	c, d := m.class.C, m.class.D
	p := &PerClass{N: m.class.Count, Variance: make(column, c), MeanNorm: make(column, c), WeightCosine: make(column, c), AccuracyTrain: shares(train), Reasons: map[string]string{}}
	centred := make([]float64, d)
	for k := range c {
		p.Variance[k], p.MeanNorm[k], p.WeightCosine[k] = math.NaN(), math.NaN(), math.NaN()
		if m.class.Count[k] == 0 {
			continue
		}
		p.Variance[k] = m.class.Deviation[k] / float64(m.class.Count[k])
		floats.SubTo(centred, m.class.Mean[k*d:(k+1)*d], m.muRows)
		w := m.head.Weight[k*d : (k+1)*d]
		p.MeanNorm[k] = floats.Norm(centred, 2)
		p.WeightCosine[k] = floats.Dot(centred, w) / (p.MeanNorm[k] * floats.Norm(w, 2)) // 0/0 where one has no direction
		p.WeightCosine[k] = math.Max(-1, math.Min(1, p.WeightCosine[k]))
	}
	if test != nil {
		p.NTest, p.AccuracyTest, p.VarianceTest = test.Count, shares(onTest), make(column, c)
		for k, n := range test.Count {
			p.VarianceTest[k] = test.Deviation[k] / float64(n)
		}
	}
	const none = "a class has no rows"
	for _, each := range []struct {
		name   string
		values column
		reason string
	}{{"variance", p.Variance, none}, {"mean_norm", p.MeanNorm, none}, {"cos_weight", p.WeightCosine, "a class has no rows, or its row of W or its mean less mu_G is zero"},
		{"accuracy_train", p.AccuracyTrain, cmp.Or(train.uncounted, none)}, {"variance_test", p.VarianceTest, none}, {"accuracy_test", p.AccuracyTest, none}} {
		if floats.HasNaN(each.values) {
			p.Reasons[each.name] = each.reason
		}
	}
	return p
}

// shares is the percentage of correct rows of each class; NaN without rows.
func shares(a agreement) column {
	out := make(column, len(a.ofClass))
	for k, each := range a.ofClass {
		out[k] = 100 * float64(each.correct) / float64(each.n)
	}
	return out
}

// listed names classes, the first few of many.
func listed(classes []int) string {
	const most = 10
	text := ""
	for i, k := range classes[:min(most, len(classes))] {
		if i > 0 {
			text += ", "
		}
		text += strconv.Itoa(k)
	}
	if len(classes) > most {
		text += fmt.Sprintf(" and %d more", len(classes)-most)
	}
	return text
}

// withRows lists the classes whose count is in low..high.
func withRows(count []int64, low, high int64) (classes []int) {
	for k, n := range count {
		if n >= low && n <= high {
			classes = append(classes, k)
		}
	}
	return classes
}

// emptyClasses words which classes have no rows; empty where all have.
func emptyClasses(count []int64) string {
	switch empty := withRows(count, 0, 0); len(empty) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("class %d has no rows", empty[0])
	default:
		return fmt.Sprintf("%d of %d classes have no rows: %s", len(empty), len(count), listed(empty))
	}
}
