package npz

import "io"

// Raw is an array whose elements lie in a file as they are: C order, little-endian, from byte Offset on.
type Raw struct {
	Info
	Offset int64
}

// Bytes are those that the elements take; false where the dimensions other than 0 multiply to more than an int.
func (r Raw) Bytes() (n int64, ok bool) {
	n, ok = byteLen(r.DType, r.Shape)
	return n, ok && countable(r.Shape)
}

// OpenRaw opens a file of another format whose arrays locate finds, given the file and its size in bytes: its errors are returned as they are. Every array is held against
// the size of the file. format begins the errors that name the file. The file is mapped as a loose .npy is. The caller closes the File.
func OpenRaw(format, path string, locate func(file io.ReaderAt, size int64) ([]Raw, error)) (*File, error) {
	return openWith(format, path, func(f *File) error {
		size, err := f.size()
		if err != nil {
			return err
		}
		located, err := locate(f.file, size)
		if err != nil {
			return err
		}
		for _, raw := range located {
			if err := f.addRaw(raw, size); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *File) addRaw(raw Raw, size int64) error {
	bytes, ok := raw.Bytes()
	if !ok {
		return f.errorf(raw.Name, "impossible shape %s", shapeText(raw.Shape))
	}
	if raw.Offset < 0 || raw.Offset > size || bytes > size-raw.Offset {
		return f.errorf(raw.Name, "%s %s takes %d bytes from offset %d, the file ends at %d: it was cut short, write it again", raw.DType, shapeText(raw.Shape), bytes, raw.Offset, size)
	}
	data := io.NewSectionReader(f.view(size), raw.Offset, bytes)
	f.arrays = append(f.arrays, &array{Info: raw.Info, dataBytes: bytes, data: data, open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(data, 0, bytes)), nil
	}})
	return nil
}
