package data

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the formats a folder may hold
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/draw"

	"nctrain/internal/decimal"
)

// DefaultImageSize is the side that images are resized to where none is asked for: CIFAR's.
const DefaultImageSize = cifarSide

const (
	maxImageSize = 1024
	// maxImagePixels bounds what one image may be decoded to: 400 MB of the largest.
	maxImagePixels = 100_000_000
)

// folderImage is one file of a folder and the class of the directory it lies in.
type folderImage struct {
	path  string
	class int
}

// openFolder reads directories of PNG and JPEG files, one directory a class, classes in the order of their sorted names. Where
// path has directories train and test, the classes lie in those. Images of another size than o.ImageSize squared are
// resized to it, antialiased bilinear, whatever their proportions; transparency becomes black.
//
// The images are ordered first of each class, second of each class, and so on (each class by sorted file names), so that
// a limit keeps the classes balanced.
func openFolder(path, split string, o Options) (*Set, error) {
	size := o.ImageSize
	if size == 0 {
		size = DefaultImageSize
	}
	if size < 1 || size > maxImageSize {
		return nil, fmt.Errorf("data: folder: an image size of %d: give 1 to %d pixels", size, maxImageSize)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w: name a directory with one directory of images a class", err)
	}
	s := &Set{H: size, W: size, OneSplit: true}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == Train && isDir(path, e) }) {
		s.OneSplit = false
		path = filepath.Join(path, split)
		if entries, err = os.ReadDir(path); err != nil {
			return nil, fmt.Errorf("data: %w: train/ is there, %s/ is wanted beside it", err, split)
		}
	}
	files, err := s.listClasses(path, entries)
	if err != nil {
		return nil, err
	}
	if o.Limit > 0 && o.Limit < len(files) {
		files = files[:o.Limit]
	}
	s.Images = make([]uint8, len(files)*size*size*Channels)
	s.Labels = make([]int32, len(files))
	for i, f := range files {
		s.Labels[i] = int32(f.class)
	}
	return s, s.decodeAll(files)
}

// isDir follows symbolic links, which data folders often are.
func isDir(parent string, e os.DirEntry) bool {
	info, err := os.Stat(filepath.Join(parent, e.Name()))
	return err == nil && info.IsDir()
}

// listClasses finds the classes in path, sets their names, and returns the images interleaved by class.
func (s *Set) listClasses(path string, entries []os.DirEntry) ([]folderImage, error) {
	var classes [][]string
	most := 0
	for _, e := range entries { // sorted by name
		if strings.HasPrefix(e.Name(), ".") || !isDir(path, e) {
			continue
		}
		dir := filepath.Join(path, e.Name())
		inside, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		var files []string
		for _, f := range inside {
			switch strings.ToLower(filepath.Ext(f.Name())) {
			case ".png", ".jpg", ".jpeg":
				files = append(files, filepath.Join(dir, f.Name()))
			}
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("data: %s: no .png, .jpg or .jpeg in it: each class needs some, take the directory away otherwise", dir)
		}
		s.ClassNames = append(s.ClassNames, e.Name())
		classes = append(classes, files)
		most = max(most, len(files))
	}
	if len(classes) == 0 {
		return nil, fmt.Errorf("data: %s: no directories in it: one directory of images a class is wanted", path)
	}
	s.Classes = len(classes)
	var images []folderImage
	for i := range most {
		for class, files := range classes {
			if i < len(files) {
				images = append(images, folderImage{files[i], class})
			}
		}
	}
	return images, nil
}

// decodeAll decodes the files into s.Images on all processors. Of several errors it returns the first file's.
func (s *Set) decodeAll(files []folderImage) error {
	failed := make([]error, len(files))
	workers := min(runtime.GOMAXPROCS(0), len(files))
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Go(func() {
			for i := worker; i < len(files); i += workers {
				if failed[i] = decodeFile(files[i].path, s.H, s.Image(i)); failed[i] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func decodeFile(path string, size int, out []uint8) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	defer file.Close()
	if err := decodeImage(file, size, out); err != nil {
		return fmt.Errorf("data: %s: %w: replace or remove it", path, err)
	}
	return nil
}

// decodeImage reads a PNG or JPEG into out, [size,size,3].
func decodeImage(r io.ReadSeeker, size int, out []uint8) error {
	config, _, err := image.DecodeConfig(r)
	if err != nil {
		return fmt.Errorf("not a PNG or JPEG that can be read (%w)", err)
	}
	if config.Width < 1 || config.Height < 1 {
		return errors.New("an image without pixels")
	}
	if config.Width > maxImagePixels/config.Height {
		return fmt.Errorf("%dx%d pixels, more than the %s that are decoded here", config.Width, config.Height, decimal.Grouped(maxImagePixels))
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	decoded, _, err := image.Decode(r)
	if err != nil {
		return fmt.Errorf("damaged (%w)", err)
	}
	scaled := image.NewRGBA(image.Rect(0, 0, size, size))
	if bounds := decoded.Bounds(); bounds.Dx() == size && bounds.Dy() == size {
		draw.Copy(scaled, image.Point{}, decoded, bounds, draw.Src, nil)
	} else {
		// x/image widens the tent with the step when it shrinks an image, which is the antialiasing.
		draw.BiLinear.Scale(scaled, scaled.Bounds(), decoded, bounds, draw.Src, nil)
	}
	for p := range size * size {
		copy(out[p*Channels:(p+1)*Channels], scaled.Pix[p*4:])
	}
	return nil
}
