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

// readMembers reads the named files out of a directory (its own files, or those of the one directory in it that the
// distribution unpacks to) or out of a .tar or .tar.gz, wherever in it they lie. want gives the most bytes needed of each
// name. Members that are not there are absent from the result.
func readMembers(source string, unpacked string, want map[string]int64) (map[string]*member, error) {
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
	return readTar(source, file, want)
}

func readDirectory(source, unpacked string, want map[string]int64) (map[string]*member, error) {
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
	return found, nil
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

// readTar walks the archive until every wanted member is found.
func readTar(source string, file io.Reader, want map[string]int64) (map[string]*member, error) {
	buffered := bufio.NewReaderSize(file, 1<<16)
	var plain io.Reader = buffered
	if start, _ := buffered.Peek(2); len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("data: %s: %w", source, err)
		}
		plain = unzipped
	}
	found := map[string]*member{}
	archive := tar.NewReader(plain)
	for len(found) < len(want) {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			if len(found) > 0 {
				break // The caller knows which member is missing, which says more.
			}
			return nil, fmt.Errorf("data: %s: not a .tar.gz that can be read (%w)", source, err)
		}
		name := path.Base(header.Name)
		most, wanted := want[name]
		if header.Typeflag != tar.TypeReg || !wanted || found[name] != nil {
			continue
		}
		found[name] = readMember(source+": "+name, archive, header.Size, most)
	}
	return found, nil
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
