package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"nctrain/internal/npz"
)

// OpenHead reads a head: an .npz or .safetensors with weight [C,D] and optionally bias [C] and meta, or loose arrays "weight=W.npy[,bias=B.npy]".
func OpenHead(spec string) (h *Head, err error) {
	var meta Meta
	var weight, bias fileArray
	var files []*npz.File
	defer func() {
		for _, file := range files {
			err = errors.Join(err, file.Close())
		}
	}()
	if strings.HasPrefix(spec, "weight=") || strings.HasPrefix(spec, "bias=") {
		for _, item := range strings.Split(spec, ",") {
			role, path, _ := strings.Cut(item, "=")
			array := map[string]*fileArray{"weight": &weight, "bias": &bias}[role]
			if array == nil || path == "" || array.file != nil {
				return nil, fmt.Errorf("analysis: %s: cannot read %q: write weight=W.npy[,bias=B.npy]", spec, item)
			}
			file, err := openNPY(path, role)
			if err != nil {
				return nil, err
			}
			files = append(files, file)
			*array = fileArray{file, file.Arrays()[0]}
		}
	} else {
		var file *npz.File
		if file, meta, err = openArrays(spec); err != nil {
			return nil, err
		}
		files = append(files, file)
		for name, array := range map[string]*fileArray{"weight": &weight, "bias": &bias} {
			if info, ok := file.Info(name); ok {
				*array = fileArray{file, info}
			}
		}
	}
	return readHead(spec, weight, bias, meta)
}

func readHead(name string, weight, bias fileArray, meta Meta) (*Head, error) {
	w := weight.info
	if weight.file == nil || !w.DType.IsFloat() || len(w.Shape) != 2 {
		return nil, fmt.Errorf("analysis: %s: array weight: found %s, want floating-point weight [C,D]: take the file that features --head-out wrote", name, w.Form())
	}
	c, d := w.Shape[0], w.Shape[1]
	switch {
	case bias.file == nil || bias.info.DType.IsFloat() && bias.info.Len() == c:
	case bias.info.DType.IsFloat() && bias.info.Len() == d:
		return nil, fmt.Errorf("analysis: %s: array weight [%d,%d] beside a bias [%d], want weight [C,D], a row a class: transpose it", name, c, d, d)
	default:
		return nil, fmt.Errorf("analysis: %s: array bias: found %s, want floating-point bias [%d], one for each row of weight [%d,%d]: save it so", name, bias.info.Form(), c, c, d)
	}
	values, err := weight.file.Float64s(w.Name)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	var b []float64
	if bias.file != nil {
		if b, err = bias.file.Float64s(bias.info.Name); err != nil {
			return nil, fmt.Errorf("analysis: %w", err)
		}
	}
	h, err := NewHead(name, c, d, values, b, meta)
	if err != nil {
		return nil, err
	}
	h.Type = typeOf(w.DType)
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
	return PutMeta(w, h.Meta)
}

// PutMeta writes meta as the entry "meta" of a feature, head or score file.
func PutMeta(w *npz.Writer, m Meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return npz.Put(w, "meta", text)
}
