package data

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// member is one file of a distribution, wherever it was found.
type member struct {
	where   string // "PATH: NAME" for errors
	size    int64  // bytes it should have, as its directory or archive says
	content []byte // as far as it was wanted and there
	cut     error  // why content ends early, nil otherwise
}

// members is what readMembers found.
type members struct {
	found  map[string]*member
	broken error // why the archive could not be read to its end, nil otherwise
}

// readMembers reads the named files out of a directory (its own files, or those of the one directory in it that the
// distribution unpacks to) or out of a .tar or .tar.gz, wherever in it they lie. want gives the most bytes needed of each
// name. Members that are not there are absent from the result. With verify the archive is read to its end and so its
// checksum is met; without, no further than needed.
func readMembers(source, unpacked string, want map[string]int64, verify bool) (*members, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("data: %w: name the downloaded archive or the directory it was unpacked to", err)
	}
	if info.IsDir() {
		return readDirectory(source, unpacked, want)
	}
	file, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer file.Close()
	return readTar(source, file, want, verify)
}

func readDirectory(source, unpacked string, want map[string]int64) (*members, error) {
	found := map[string]*member{}
	for _, dir := range []string{source, filepath.Join(source, unpacked)} {
		for name, most := range want {
			if found[name] != nil {
				continue
			}
			m, err := readFile(filepath.Join(dir, name), most)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("data: %w", err)
			}
			found[name] = m
		}
	}
	return &members{found: found}, nil
}

func readFile(name string, most int64) (*member, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", name)
	}
	return readMember(name, file, info.Size(), most), nil
}

// readTar walks the archive until every wanted member is found, and then to its end if it is to be verified.
func readTar(source string, file io.Reader, want map[string]int64, verify bool) (*members, error) {
	buffered := bufio.NewReaderSize(file, 1<<16)
	var plain io.Reader = buffered
	if start, _ := buffered.Peek(2); len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("data: %s: not a .tar.gz that can be read (%w)", source, err)
		}
		plain = unzipped
	}
	m := &members{found: map[string]*member{}}
	archive := tar.NewReader(plain)
	for len(m.found) < len(want) {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			m.broken = err
			return m, nil // What was found may be all that is needed, and what is missing says more than this error.
		}
		name := path.Base(header.Name)
		most, wanted := want[name]
		if header.Typeflag != tar.TypeReg || !wanted || m.found[name] != nil {
			continue
		}
		m.found[name] = readMember(source+": "+name, archive, header.Size, most)
	}
	if verify {
		_, m.broken = io.Copy(io.Discard, plain)
	}
	return m, nil
}

// readMember reads the first most bytes of r, which says it has size. Memory grows with what arrives, not with size.
func readMember(where string, r io.Reader, size, most int64) *member {
	m := &member{where: where, size: size}
	target := min(size, most)
	const step = 1 << 20
	for int64(len(m.content)) < target {
		n := int(min(max(int64(len(m.content)), step), target-int64(len(m.content))))
		m.content = slices.Grow(m.content, n)
		got, err := io.ReadFull(r, m.content[len(m.content):len(m.content)+n])
		m.content = m.content[:len(m.content)+got]
		if err != nil {
			m.cut = err
			break
		}
	}
	return m
}

// noEOF is err of a file that ends where more should come.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
