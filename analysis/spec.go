package analysis

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// looseForm names loose arrays; labels only where the rows need them.
const looseForm = "features=F.npy[,labels=L.npy][,logits=G.npy]"

// IsLoose tells whether a spec of OpenFeatures names loose arrays, whose own commas and equals signs separate its parts.
func IsLoose(spec string) bool {
	role, _, ok := strings.Cut(spec, "=")
	return ok && slices.Contains(roles, role)
}

// locate finds the parts of a set; see OpenFeatures for what spec may be.
func locate(spec string) ([]opener, error) {
	if IsLoose(spec) {
		return locateLoose(spec)
	}
	paths, err := ExpandFiles(spec)
	if err != nil {
		return nil, err
	}
	return group(paths)
}

// locateLoose pairs the files of looseForm in order.
func locateLoose(spec string) ([]opener, error) {
	items := map[string][]string{}
	role := ""
	for _, item := range strings.Split(spec, ",") {
		if before, after, named := strings.Cut(item, "="); named {
			if !slices.Contains(roles, before) || items[before] != nil {
				return nil, fmt.Errorf("analysis: %s: cannot read %q: write "+looseForm, spec, item)
			}
			role, item = before, after
		}
		paths, err := expand(item)
		if err != nil {
			return nil, err
		}
		items[role] = append(items[role], paths...)
	}
	n := len(items["features"])
	if n == 0 {
		return nil, fmt.Errorf("analysis: %s: features are needed: write "+looseForm, spec)
	}
	openers := make([]opener, n)
	for i := range openers {
		paths := map[string]string{}
		for role, found := range items {
			if len(found) != n {
				return nil, fmt.Errorf("analysis: %s: %d files of features and %d of %s: name as many of each, they pair in order", spec, n, len(found), role)
			}
			paths[role] = found[i]
		}
		openers[i] = openLoose(paths)
	}
	return openers, nil
}

// ExpandFiles gives the files of a comma-separated list of files, patterns and directories; those of the latter two are sorted by name.
func ExpandFiles(spec string) ([]string, error) {
	if _, err := os.Stat(spec); err == nil { // a comma in the name of a file
		return expand(spec)
	}
	var paths []string
	for _, item := range strings.Split(spec, ",") {
		found, err := expand(item)
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// expand gives the files of a directory or pattern, sorted by name, or the file itself, which need not exist.
func expand(item string) ([]string, error) {
	if item == "" {
		return nil, fmt.Errorf("analysis: an empty name where a file is wanted: leave out the comma or name the file")
	}
	stat, err := os.Stat(item)
	switch {
	case err == nil && stat.IsDir():
		return filesOf(item)
	case err == nil || !strings.ContainsAny(item, "*?["):
		return []string{item}, nil
	}
	paths, err := filepath.Glob(item)
	if err != nil {
		return nil, fmt.Errorf("analysis: %s: %w: write a pattern such as shards/*.npz", item, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("analysis: %s: no file matches: check the path", item)
	}
	slices.Sort(paths)
	return paths, nil
}

// filesOf lists the feature files of a directory by name.
func filesOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	var paths []string
	for _, e := range entries {
		isShard := slices.Contains([]string{".npz", ".npy", ".safetensors", ".csv"}, filepath.Ext(e.Name()))
		if isShard && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("analysis: %s: the directory holds no .npz, .npy, .safetensors or .csv: check the path", dir)
	}
	return paths, nil
}

// group makes parts of files. Loose arrays among them belong together where their names differ in nothing but the role: train_features_07.npy, train_labels_07.npy.
func group(paths []string) ([]opener, error) {
	var openers []opener
	taken := map[string]bool{}
	for _, path := range paths {
		switch filepath.Ext(path) {
		case ".npy":
			named := map[string]string{}
			for _, role := range roles {
				if partner, ok := inRole(path, role); ok && slices.Contains(paths, partner) {
					named[role] = partner
					taken[partner] = true
				}
			}
			if len(named) > 0 {
				openers = append(openers, openLoose(named))
			}
		case ".csv":
			openers = append(openers, sync.OnceValues(openText(path))) // its lines are counted once
		default:
			openers = append(openers, openArchive(path))
		}
	}
	for _, path := range paths {
		if filepath.Ext(path) == ".npy" && !taken[path] {
			return nil, fmt.Errorf("analysis: %s: one array alone: write "+looseForm+", or name the files NAMEfeatures.npy, NAMElabels.npy", path)
		}
	}
	return openers, nil
}

// inRole gives the name under which the array of a role lies beside a file of features; false where path is none.
func inRole(path, role string) (string, bool) {
	dir, base := filepath.Split(path)
	at := strings.LastIndex(base, "features")
	if at < 0 {
		return "", false
	}
	return dir + base[:at] + role + base[at+len("features"):], true
}
