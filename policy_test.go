// Package nctrain_test holds the rules of the repository that a compiler does not check.
package nctrain_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mayImport is DESIGN's table of rooms: who may import whom. A room may always import its own sub-packages and leaves under internal/.
var mayImport = map[string][]string{
	"cmd":      {"nn", "nn/data", "analysis", "kernels", "cudart", "bench"},
	"bench":    {"nn", "nn/data", "analysis", "kernels", "cudart"},
	"nn":       {"kernels", "nn/data"},
	"nn/data":  {},
	"analysis": {},
	"kernels":  {"cudart"},
	"cudart":   {},
	"internal": {},
}

// room of a package path relative to the module: the longest entry of mayImport that it lies in.
func room(pkg string) string {
	best := ""
	for r := range mayImport {
		if (pkg == r || strings.HasPrefix(pkg, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

// eachGoFile parses the imports of every Go file of the module.
func eachGoFile(t *testing.T, f func(file, pkg string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "runs" || d.Name() == "build") {
			return fs.SkipDir
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, name)
		}
		f(file, filepath.ToSlash(filepath.Dir(file)), imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoomsImportOnlyWhatDesignAllows(t *testing.T) {
	seen := 0
	eachGoFile(t, func(file, pkg string, imports []string) {
		from := room(pkg)
		for _, name := range imports {
			to, ours := strings.CutPrefix(name, "nctrain/")
			if !ours {
				continue
			}
			seen++
			target := room(to)
			allowed := target == from || target == "internal" || strings.HasPrefix(to, path.Join(from, "internal"))
			for _, r := range mayImport[from] {
				allowed = allowed || r == target
			}
			if !allowed {
				t.Errorf("%s: room %q must not import %s", file, from, name)
			}
		}
	})
	if seen == 0 {
		t.Fatal("no import of our own packages seen: this test looks in the wrong place")
	}
}

func TestTopLevelHasOnlyTheRooms(t *testing.T) {
	want := map[string]bool{"kernels": true, "nn": true, "cudart": true, "analysis": true, "cmd": true, "bench": true, "internal": true, "docs": true,
		"bin": true, "build": true, "runs": true}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !want[e.Name()] {
			t.Errorf("%s/ is no room of the house: put it into one", e.Name())
		}
	}
}

// Every module that our code imports has its reason in docs/dependencies.md.
func TestDependenciesHaveReasons(t *testing.T) {
	reasons, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "v") {
			continue // not a requirement, or "// indirect"
		}
		direct++
		if !bytes.Contains(reasons, []byte("`"+fields[0]+"`")) {
			t.Errorf("docs/dependencies.md does not say why %s", fields[0])
		}
	}
	if direct == 0 {
		t.Fatal("go.mod has no direct requirement: this test reads it wrongly")
	}
}
