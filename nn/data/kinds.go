package data

import (
	"fmt"
	"strings"
)

// Options is what the flags say about opening a set.
type Options struct {
	Limit       int     // keep the first Limit images of the stored split; 0: all
	ValFraction float64 // share of the training images held out as split "val"; 0: none
	Seed        uint64  // of the permutation that chooses them
	ImageSize   int     // side that images of other sizes are resized to where the kind resizes (folder:); 0: DefaultImageSize
}

// Kind describes one kind of set.
type Kind struct {
	Name string // "cifar100"
	Form string // how a set of it is written: "cifar100:PATH"
	Help string // what PATH is, in one line
}

// kind is a row of the table: what Kind tells, and how a set is opened. open gets split "train" or "test" and the limit it
// may use to read less; what it returns is checked and limited again by Open.
type kind struct {
	Kind
	builtIn bool // takes no path
	open    func(path, split string, o Options) (*Set, error)
}

// kinds has one row a kind, in the order in which they are listed to people.
var kinds = []kind{
	{Kind{"cifar100", "cifar100:PATH", "CIFAR-100, binary version: the .tar.gz or its directory"}, false, cifar100.open},
	{Kind{"cifar10", "cifar10:PATH", "CIFAR-10, binary version: the .tar.gz or its directory"}, false, cifar10.open},
	{Kind{"svhn", "svhn:PATH", "SVHN's cropped digits: a .mat file, or the directory of train_32x32.mat and test_32x32.mat"}, false, openSVHN},
	{Kind{"npz", "npz:FILE", "a NumPy archive of images uint8 [N,H,W,3] and labels [N], in as many classes as the largest says, or training has"}, false, openNPZ},
	{Kind{"folder", "folder:DIR", "directories of PNG or JPEG, one a class; or train/ and test/ above them"}, false, openFolder},
	{Kind{"shapes", "shapes", "built in: ten classes of textured objects; 5,000 train, 1,000 test"}, true, openShapes},
	{Kind{"digits", "digits", "built in: house-number-like digits; 2,000 train, 1,000 test"}, true, openDigits},
}

// Kinds lists the kinds of sets that Open knows.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, k := range kinds {
		list[i] = k.Kind
	}
	return list
}

// The splits that can be asked for.
const (
	Train = "train"
	Val   = "val"
	Test  = "test"
)

// Open reads the split of the set that spec names. The split "val" is the part of the training images that
// o.ValFraction holds out (see holdOut); "train" is then the rest.
//
// Errors name the file and the field, and what to do about it.
func Open(spec, split string, o Options) (*Set, error) {
	name, path, hasPath := strings.Cut(spec, ":")
	k, err := findKind(spec, name)
	if err != nil {
		return nil, err
	}
	switch {
	case k.builtIn && hasPath:
		return nil, fmt.Errorf("data: %s: the built-in set takes no path: write %s", spec, k.Form)
	case !k.builtIn && path == "":
		return nil, fmt.Errorf("data: %s: which file? write %s (%s)", spec, k.Form, k.Help)
	case split != Train && split != Val && split != Test:
		return nil, fmt.Errorf("data: %s: no split %q: ask for train, val or test", spec, split)
	case o.Limit < 0:
		return nil, fmt.Errorf("data: %s: a limit of %d images: give 1 or more, or 0 for all", spec, o.Limit)
	case o.ValFraction < 0 || o.ValFraction >= 1 || o.ValFraction != o.ValFraction:
		return nil, fmt.Errorf("data: %s: a validation fraction of %v: give 0 or more and less than 1", spec, o.ValFraction)
	case split == Val && o.ValFraction == 0:
		return nil, fmt.Errorf("data: %s: nothing is held out for the split val: give a validation fraction", spec)
	}

	stored := split
	if split == Val {
		stored = Train
	}
	s, err := k.open(path, stored, o)
	if err != nil {
		return nil, err
	}
	if err := s.check(spec); err != nil {
		return nil, err
	}
	s.Name, s.Split = spec, split
	s.limit(o.Limit)
	if stored == Train && o.ValFraction > 0 {
		rest, held, err := holdOut(s.Len(), o.ValFraction, o.Seed)
		if err != nil {
			return nil, fmt.Errorf("data: %s: %w", spec, err)
		}
		if split == Val {
			return s.Subset(held), nil
		}
		return s.Subset(rest), nil
	}
	return s, nil
}

func findKind(spec, name string) (*kind, error) {
	forms := make([]string, len(kinds))
	for i := range kinds {
		if kinds[i].Name == name {
			return &kinds[i], nil
		}
		forms[i] = kinds[i].Form
	}
	return nil, fmt.Errorf("data: %q is no set: write one of %s", spec, strings.Join(forms, ", "))
}
