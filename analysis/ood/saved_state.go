package ood

import "fmt"

// What each learner keeps: see keeper.

func (s *temperatureScorer) keep(put func(string, []float64, ...int) error) error {
	return put("beta", []float64{s.beta})
}

func (s *temperatureScorer) restore(from stateReader) error {
	x, err := from.finite("beta", 1)
	if err != nil {
		return err
	}
	s.beta, s.done = x[0], true
	return nil
}

func (s *klmScorer) keep(put func(string, []float64, ...int) error) error {
	return put("log_typical", s.typical, s.k, s.c)
}

func (s *klmScorer) restore(from stateReader) error {
	err := from.eachRow("log_typical", s.c, func(row []float64) {
		s.typical = append(s.typical, row...)
		s.k++
	})
	if err == nil && (s.k == 0 || s.k > s.c) {
		err = fmt.Errorf("%d typical distributions of %d classes", s.k, s.c)
	}
	return err
}

func (s *sheScorer) keep(put func(string, []float64, ...int) error) error {
	return put("patterns", s.patterns.mean, s.c, s.d)
}

func (s *sheScorer) restore(from stateReader) (err error) {
	s.patterns.mean, err = from.finite("patterns", s.c*s.d)
	return err
}

func (q *quantiles) keep(put func(string, []float64, ...int) error) error {
	return put("thresholds", q.values)
}

func (q *quantiles) restore(from stateReader) (err error) {
	q.values, err = from.finite("thresholds", len(q.wanted))
	q.known, q.buckets = q.bits, nil
	return err
}

func (s *vimScorer) keep(put func(string, []float64, ...int) error) error {
	return put("alpha", []float64{s.alpha, s.norm / float64(s.n)})
}

func (s *vimScorer) restore(from stateReader) error {
	x, err := from.finite("alpha", 2)
	if err != nil {
		return err
	}
	s.alpha, s.norm, s.n = x[0], x[1], 1
	return nil
}

func (s *knnScorer) keep(put func(string, []float64, ...int) error) error {
	if err := put("zeros", []float64{float64(s.zeros)}); err != nil {
		return err
	}
	return put("rows", s.rows, s.n, s.d)
}

func (s *knnScorer) restore(from stateReader) error {
	zeros, err := from.finite("zeros", 1)
	if err != nil {
		return err
	}
	s.zeros = int(zeros[0])
	if err := from.eachRow("rows", s.d, s.add); err != nil {
		return err
	}
	if s.zeros < 0 || s.n+s.zeros < s.k {
		return fmt.Errorf("%d rows and %g of zeros for the nearest %d", s.n, zeros[0], s.k)
	}
	return s.seal()
}

func (s *nnguideScorer) keep(put func(string, []float64, ...int) error) error {
	return put("rows", s.rows, s.n, s.d)
}

func (s *nnguideScorer) restore(from stateReader) error {
	if err := from.eachRow("rows", s.d, s.add); err != nil {
		return err
	}
	if s.n < s.k {
		return fmt.Errorf("%d rows for the largest %d", s.n, s.k)
	}
	return s.seal()
}

// openmax keeps its means and origin, shape, log scale and rows of each Weibull fit.
func (s *openmaxScorer) keep(put func(string, []float64, ...int) error) error {
	if err := put("means", s.means.mean, s.c, s.c); err != nil {
		return err
	}
	var flat []float64
	for _, w := range s.fits {
		flat = append(flat, w.origin, w.shape, w.scale, float64(w.rows))
	}
	return put("weibull", flat, s.c, 4)
}

func (s *openmaxScorer) restore(from stateReader) (err error) {
	if s.means.mean, err = from.finite("means", s.c*s.c); err != nil {
		return err
	}
	flat, err := from.floats("weibull", 4*s.c) // a step has an infinite shape
	if err != nil {
		return err
	}
	for c := range s.c {
		w := flat[4*c : 4*c+4]
		s.fits = append(s.fits, weibull{w[0], w[1], w[2], int(w[3])})
	}
	s.haveMeans, s.done = true, true
	return nil
}
