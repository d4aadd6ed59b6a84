package analysis

import (
	"encoding/json"
	"errors"
	"fmt"

	"nctrain/internal/npz"
)

// OpenHead reads a head file: an .npz with weight [C,D], optionally bias [C] and meta.
func OpenHead(path string) (h *Head, err error) {
	file, err := npz.Open(path)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	weight, ok := file.Info("weight")
	if !ok || !weight.DType.IsFloat() || len(weight.Shape) != 2 {
		found := "no such array"
		if ok {
			found = weight.String()
		}
		return nil, fmt.Errorf("analysis: %s: array weight: found %s, want floating-point weight [C,D]: take the file that features --head-out wrote", path, found)
	}
	c, d := weight.Shape[0], weight.Shape[1]
	bias, hasBias := file.Info("bias")
	if hasBias && (!bias.DType.IsFloat() || bias.Len() != c) {
		return nil, fmt.Errorf("analysis: %s: array bias: found %s, want floating-point bias [%d]: save it so or leave it out", path, bias, c)
	}
	meta, err := readMeta(file)
	if err != nil {
		return nil, err
	}
	w, err := file.Float64s("weight")
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	var b []float64
	if hasBias {
		if b, err = file.Float64s("bias"); err != nil {
			return nil, fmt.Errorf("analysis: %w", err)
		}
	}
	h, err = NewHead(path, c, d, w, b, meta)
	if err != nil {
		return nil, err
	}
	switch weight.DType {
	case npz.Float16:
		h.Type = Float16
	case npz.Float32:
		h.Type = Float32
	}
	return h, nil
}

// WriteHead writes a head file, float64 where the head is and float32 otherwise. The file is whole or absent.
func WriteHead(path string, h *Head) error {
	if err := npz.Write(path, func(w *npz.Writer) error { return PutHead(w, h) }); err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// PutHead adds a head to an archive of more: OpenHead reads it from there.
func PutHead(w *npz.Writer, h *Head) error {
	if h.Type == Float64 {
		return putHead(w, h, func(x float64) float64 { return x })
	}
	return putHead(w, h, func(x float64) float32 { return float32(x) })
}

func putHead[T npz.Number](w *npz.Writer, h *Head, narrow func(float64) T) error {
	convert := func(x []float64) []T {
		y := make([]T, len(x))
		for i, v := range x {
			y[i] = narrow(v)
		}
		return y
	}
	if err := npz.Put(w, "weight", convert(h.Weight), h.C, h.D); err != nil {
		return err
	}
	if h.Bias != nil {
		if err := npz.Put(w, "bias", convert(h.Bias)); err != nil {
			return err
		}
	}
	return putMeta(w, h.Meta)
}

func putMeta(w *npz.Writer, m Meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return npz.Put(w, "meta", text)
}
