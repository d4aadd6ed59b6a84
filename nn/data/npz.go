package data

import (
	"encoding/json"
	"fmt"

	"nctrain/internal/decimal"
	"nctrain/internal/npz"
)

// npzMeta is what WriteNPZ keeps beside the images, as JSON in the uint8 array "meta".
type npzMeta struct {
	Set        string   `json:"set"`
	Split      string   `json:"split"`
	ClassNames []string `json:"class_names"`
}

// openNPZ reads `images` uint8 [N,H,W,3] and `labels`, integers [N], and the class names of `meta` where WriteNPZ wrote it.
func openNPZ(path, _ string, o Options) (*Set, error) {
	f, err := npz.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()

	s := &Set{OneSplit: true}
	n, err := npzShape(f, s)
	if err != nil {
		return nil, err
	}
	// Labels are read beyond the limit too: how many classes a set has does not hang on how much of it is used.
	labels, err := npzFirst(f, "labels", n, (*npz.Rows).Int64)
	if err != nil {
		return nil, err
	}
	if err := s.setLabels(labels, path+": labels"); err != nil {
		return nil, err
	}
	if o.Limit > 0 {
		n = min(n, o.Limit)
		s.Labels = s.Labels[:n:n]
	}
	if s.Images, err = npzFirst(f, "images", n, (*npz.Rows).Uint8); err != nil {
		return nil, err
	}
	return s, s.npzNames(f)
}

// npzShape checks the shapes of both arrays, sets H and W, and returns N.
func npzShape(f *npz.File, s *Set) (n int, err error) {
	const wanted = "images must be uint8 [N,H,W,3] and labels integers [N]"
	images, ok := f.Info("images")
	if !ok {
		return 0, fmt.Errorf("data: %s: no array images (it holds %v): %s", f.Path(), f.Arrays(), wanted)
	}
	labels, ok := f.Info("labels")
	if !ok {
		return 0, fmt.Errorf("data: %s: no array labels (it holds %v): %s", f.Path(), f.Arrays(), wanted)
	}
	shape := images.Shape
	switch {
	case len(shape) == 4 && shape[1] == Channels && shape[3] != Channels:
		return 0, fmt.Errorf("data: %s: %v has its channels first: transpose(0, 2, 3, 1) it, %s", f.Path(), images, wanted)
	case images.DType != npz.Uint8 || len(shape) != 4 || shape[3] != Channels:
		return 0, fmt.Errorf("data: %s: %v: %s", f.Path(), images, wanted)
	case !labels.DType.IsInteger() || len(labels.Shape) != 1:
		return 0, fmt.Errorf("data: %s: %v: %s", f.Path(), labels, wanted)
	case labels.Shape[0] != shape[0]:
		return 0, fmt.Errorf("data: %s: %v but %v: one label an image", f.Path(), images, labels)
	case images.Len() == 0:
		return 0, fmt.Errorf("data: %s: %v: no images", f.Path(), images)
	}
	s.H, s.W = shape[1], shape[2]
	return shape[0], nil
}

// npzFirst reads the first n rows of an array.
func npzFirst[T any](f *npz.File, name string, n int, read func(*npz.Rows, []T) (int, error)) ([]T, error) {
	r, err := f.Rows(name)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer r.Close()
	first, err := npz.First(r, n, read)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return first, nil
}

// setLabels takes labels of a set that does not say its number of classes: the largest label decides.
func (s *Set) setLabels(labels []int64, where string) error {
	s.Labels = make([]int32, len(labels))
	for i, label := range labels {
		if label < 0 || label >= maxClasses {
			return fmt.Errorf("data: %s: label %d of image %s: classes are numbered from 0, at most %s of them", where, label, decimal.Grouped(i), decimal.Grouped(maxClasses))
		}
		s.Labels[i] = int32(label)
		s.Classes = max(s.Classes, int(label)+1)
	}
	s.ClassNames, s.Uncounted = numberNames(s.Classes), true
	return nil
}

// npzNames takes the class names of meta, if there are some. A meta of someone else's is left alone.
func (s *Set) npzNames(f *npz.File) error {
	if info, ok := f.Info("meta"); !ok || info.DType != npz.Uint8 {
		return nil
	}
	text, err := f.Uint8s("meta")
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	var meta npzMeta
	if json.Unmarshal(text, &meta) != nil || len(meta.ClassNames) == 0 {
		return nil
	}
	if len(meta.ClassNames) < s.Classes {
		return fmt.Errorf("data: %s: meta: %d class names, but label %d occurs: write the set again", f.Path(), len(meta.ClassNames), s.Classes-1)
	}
	s.Classes, s.ClassNames, s.Uncounted = len(meta.ClassNames), meta.ClassNames, false
	return nil
}

// WriteNPZ writes the set as the kind npz: reads it, whole or not at all: images, labels (int64), and its name, split and
// class names in meta.
func WriteNPZ(path string, s *Set) error {
	meta, err := json.Marshal(npzMeta{Set: s.Name, Split: s.Split, ClassNames: s.ClassNames})
	if err != nil {
		return fmt.Errorf("data: %s: meta: %w", path, err)
	}
	labels := make([]int64, s.Len())
	for i, label := range s.Labels {
		labels[i] = int64(label)
	}
	err = npz.Write(path, func(w *npz.Writer) error {
		if err := npz.Put(w, "images", s.Images, s.Len(), s.H, s.W, Channels); err != nil {
			return err
		}
		if err := npz.Put(w, "labels", labels); err != nil {
			return err
		}
		return npz.Put(w, "meta", meta)
	})
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}
