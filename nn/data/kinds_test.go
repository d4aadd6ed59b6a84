package data

import (
	"math"
	"strings"
	"testing"
)

func TestOpenRefusesWithTheWayOut(t *testing.T) {
	for _, c := range []struct {
		spec, split string
		o           Options
		want        string
	}{
		{"imagenet:x", Train, Options{}, `data: "imagenet:x" is no set: write one of cifar100:PATH, cifar10:PATH, `},
		{"", Train, Options{}, `data: "" is no set: write one of `},
		{"cifar100", Train, Options{}, "data: cifar100: which file? write cifar100:PATH (CIFAR-100, binary version"},
		{"npz:", Train, Options{}, "data: npz:: which file? write npz:FILE"},
		{"shapes:x", Train, Options{}, "data: shapes:x: the built-in set takes no path: write shapes"},
		{"shapes", "dev", Options{}, `data: shapes: no split "dev": ask for train, val or test`},
		{"shapes", Train, Options{Limit: -1}, "data: shapes: a limit of -1 images"},
		{"shapes", Train, Options{ValFraction: 1}, "data: shapes: a validation fraction of 1: give 0 or more and less than 1"},
		{"shapes", Train, Options{ValFraction: math.NaN()}, "data: shapes: a validation fraction of NaN"},
		{"shapes", Val, Options{}, "data: shapes: nothing is held out for the split val: give a validation fraction"},
		{"shapes", Val, Options{Limit: 10, ValFraction: 0.01}, "data: shapes: a validation fraction of 0.01 holds out 0 of 10 images"},
	} {
		_, err := Open(c.spec, c.split, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: error\n%v, want\n%s", c.spec, c.split, err, c.want)
		}
	}
}

func TestKindsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.Name == "" || k.Help == "" || !strings.HasPrefix(k.Form, k.Name) || seen[k.Name] {
			t.Errorf("row %+v", k)
		}
		seen[k.Name] = true
	}
	if !seen["cifar100"] || !seen["shapes"] {
		t.Errorf("kinds %v", seen)
	}
}

func TestCheckFindsWhatAReaderLeftWrong(t *testing.T) {
	for want, change := range map[string]func(s *Set){
		"x: no images": func(s *Set) { s.Labels = nil },
		"x: 11 bytes of images for 1 labels of 2x2 pixels":        func(s *Set) { s.Images = s.Images[:11] },
		"x: 1 names for 2 classes":                                func(s *Set) { s.ClassNames = s.ClassNames[:1] },
		"x: label 2 of image 0 is not one of the 2 classes 0..1":  func(s *Set) { s.Labels[0] = 2 },
		"x: label -1 of image 0 is not one of the 2 classes 0..1": func(s *Set) { s.Labels[0] = -1 },
	} {
		s := &Set{Classes: 2, ClassNames: []string{"a", "b"}, H: 2, W: 2, Images: make([]uint8, 12), Labels: []int32{1}}
		if err := s.check("x"); err != nil {
			t.Fatal(err)
		}
		change(s)
		if err := s.check("x"); err == nil || err.Error() != "data: "+want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
