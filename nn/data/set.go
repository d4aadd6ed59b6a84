// Package data holds image sets: how they are named, opened, checked, split and ordered.
//
// A set is written KIND:PATH, or by its name alone where it is built in. Kinds lists what there is; a kind is one file of
// this package and one row of the table in kinds.go. Images are kept as uint8 in memory, [n,h,w,c] with c = 3; nothing is
// normalised or augmented here.
package data

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nctrain/internal/decimal"
)

// Channels of every image: red, green, blue.
const Channels = 3

// maxClasses bounds the labels of sets that do not say how many classes they have.
const maxClasses = 100_000

// Set is one split of an image set.
type Set struct {
	Name       string   // as the user wrote it: "cifar100:PATH", "shapes"
	Split      string   // "train", "val" or "test"; what was asked for
	OneSplit   bool     // the set has no splits of its own and serves all its images whatever is asked for
	Classes    int      // number of classes; labels are 0..Classes-1
	Uncounted  bool     // the set does not say how many classes it has: Classes are those up to its largest label
	ClassNames []string // [Classes]
	H, W       int      // height and width in pixels
	Images     []uint8  // [N,H,W,3]
	Labels     []int32  // [N]
	Indices    []int    // [N] position of each image in the stored split; nil where that is 0..N-1
}

// Len returns N, the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Image returns image i, [H,W,3], as a part of Images.
func (s *Set) Image(i int) []uint8 {
	size := s.H * s.W * Channels
	return s.Images[i*size : (i+1)*size : (i+1)*size]
}

// Subset returns a copy of the images at the given positions, in that order.
func (s *Set) Subset(positions []int) *Set {
	sub := *s
	size := s.H * s.W * Channels
	sub.Images = make([]uint8, 0, len(positions)*size)
	sub.Labels = make([]int32, len(positions))
	sub.Indices = make([]int, len(positions))
	for i, p := range positions {
		sub.Images = append(sub.Images, s.Image(p)...)
		sub.Labels[i] = s.Labels[p]
		sub.Indices[i] = p
		if s.Indices != nil {
			sub.Indices[i] = s.Indices[p]
		}
	}
	return &sub
}

// ClassCounts returns the number of images of each class, [Classes].
func (s *Set) ClassCounts() []int {
	counts := make([]int, s.Classes)
	for _, label := range s.Labels {
		counts[label]++
	}
	return counts
}

// limit keeps the first n images, all of them for n = 0 or n >= N.
func (s *Set) limit(n int) {
	if n <= 0 || n >= s.Len() {
		return
	}
	size := n * s.H * s.W * Channels
	s.Images, s.Labels = s.Images[:size:size], s.Labels[:n:n]
}

// check asserts what every reader has to deliver. where names the file and field in errors.
func (s *Set) check(where string) error {
	if s.Len() == 0 {
		return fmt.Errorf("data: %s: no images", where)
	}
	if s.H < 1 || s.W < 1 || len(s.Images) != s.Len()*s.H*s.W*Channels {
		return fmt.Errorf("data: %s: %s bytes of images for %s labels of %dx%d pixels", where, decimal.Grouped(len(s.Images)), decimal.Grouped(s.Len()), s.H, s.W)
	}
	if s.Classes < 1 || len(s.ClassNames) != s.Classes {
		return fmt.Errorf("data: %s: %d names for %d classes", where, len(s.ClassNames), s.Classes)
	}
	for i, label := range s.Labels {
		if label < 0 || int(label) >= s.Classes {
			return fmt.Errorf("data: %s: label %d of image %s is not one of the %d classes 0..%d", where, label, decimal.Grouped(i), s.Classes, s.Classes-1)
		}
	}
	return nil
}

// numberNames names classes that have no names by their numbers.
func numberNames(classes int) []string {
	names := make([]string, classes)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// ClassesUnlike says how the classes of a set differ from those of the training set, so that its labels mean something else; "" where they do not.
func (s *Set) ClassesUnlike(train *Set) string {
	named := !s.Numbered() && !train.Numbered()
	if s.Classes != train.Classes {
		text := fmt.Sprintf("%d classes, the training set %s has %d", s.Classes, train.Name, train.Classes)
		if named {
			text += beside("missing here", train.ClassNames, s.ClassNames) + beside("not there", s.ClassNames, train.ClassNames)
		}
		return text
	}
	if named {
		for i, name := range s.ClassNames {
			if name != train.ClassNames[i] {
				return fmt.Sprintf("class %d is %s, in the training set %s it is %s", i, name, train.Name, train.ClassNames[i])
			}
		}
	}
	return ""
}

// beside lists the names that others do not hold, a few of many.
func beside(what string, names, others []string) string {
	const most = 5
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
	switch n := len(names); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf(" (%s: %s and %d more)", what, strings.Join(names[:most], ", "), n-most)
	}
	return fmt.Sprintf(" (%s: %s)", what, strings.Join(names, ", "))
}

// Numbered tells that the classes have no names but their numbers.
func (s *Set) Numbered() bool { return slices.Equal(s.ClassNames, numberNames(s.Classes)) }
