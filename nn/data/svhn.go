package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nctrain/internal/decimal"
)

const svhnWayOut = "name a .mat file or the directory of train_32x32.mat and test_32x32.mat"

// openSVHN reads the cropped digits of SVHN (http://ufldl.stanford.edu/housenumbers): X uint8 [32,32,3,N] and y [N,1], where
// 10 stands for the digit 0. A path of a .mat file is that file whatever split is asked; of a directory, its
// train_32x32.mat or test_32x32.mat.
func openSVHN(path, split string, o Options) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w: %s", err, svhnWayOut)
	}
	s := &Set{Classes: 10, ClassNames: numberNames(10), OneSplit: !info.IsDir()}
	if info.IsDir() {
		path = filepath.Join(path, split+"_32x32.mat")
	}
	arrays, err := readMAT(path, o.Limit, "X", "y")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", err, svhnWayOut)
	}
	if err != nil {
		return nil, err
	}
	x, y := arrays["X"], arrays["y"]
	if x == nil || y == nil {
		return nil, fmt.Errorf("data: %s: no arrays X and y: X uint8 [H,W,3,N] and y [N,1] are wanted", path)
	}
	n, err := s.svhnShape(x, y)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	if o.Limit > 0 {
		n = min(n, o.Limit)
	}
	labels, err := y.integers()
	if err != nil {
		return nil, fmt.Errorf("data: %s: y: %w", path, err)
	}
	s.Labels = make([]int32, n)
	for i := range s.Labels {
		if labels[i] < 0 || labels[i] > 10 {
			return nil, fmt.Errorf("data: %s: y: label %d of image %s: digits are 1 to 9, and 10 for 0", path, labels[i], decimal.Grouped(i))
		}
		s.Labels[i] = int32(labels[i] % 10)
	}
	s.Images = columnsToRows(x.raw, n, s.H, s.W)
	return s, nil
}

// svhnShape checks the dimensions of both arrays, sets H and W, and returns N.
func (s *Set) svhnShape(x, y *matArray) (n int, err error) {
	d := x.dims
	if len(d) == 3 {
		d = append(d[:3:3], 1) // MATLAB drops a last dimension of one image.
	}
	if x.class != matClassUint8 || matSizes[x.stored] != 1 || len(d) != 4 || d[2] != Channels {
		return 0, fmt.Errorf("array X has dimensions %v and class %d: uint8 [H,W,3,N] is wanted", x.dims, x.class)
	}
	labels := 1
	for _, dim := range y.dims {
		labels *= dim
	}
	if labels != d[3] {
		return 0, fmt.Errorf("array X has dimensions %v, y has %v: one label an image is wanted", x.dims, y.dims)
	}
	s.H, s.W = d[0], d[1]
	return d[3], nil
}

// columnsToRows turns [h,w,c,n] with the first index fastest into [n,h,w,c] with the last fastest.
func columnsToRows(raw []byte, n, h, w int) []uint8 {
	images := make([]uint8, n*h*w*Channels)
	for i := range n {
		from, to := raw[i*h*w*Channels:], images[i*h*w*Channels:]
		for c := range Channels {
			for x := range w {
				column := from[h*(x+w*c):]
				for y := range h {
					to[(y*w+x)*Channels+c] = column[y]
				}
			}
		}
	}
	return images
}
