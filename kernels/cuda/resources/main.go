// Resources reads what the compiler made of the kernels of kernels/cuda for sm_80 and sm_90a: no spills and no local memory, the stated occupancy, 16-byte global
// accesses, matrix instructions in the hot loops (table.go). It is run by `make resources` on the fatbins of `make cuda-kernels`.
//
//	resources -cuda DIR          checks, and whether the table in docs/kernels.md is what it finds
//	resources -cuda DIR -write   checks, and writes that table
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nctrain/internal/wholefile"
)

const (
	images = "kernels/cuda/images"
	page   = "docs/kernels.md"
	begin  = "<!-- begin: make resources -->\n"
	end    = "<!-- end: make resources -->\n"
)

var archs = []string{"sm_80", "sm_90a"}

func main() {
	home := flag.String("cuda", "", "the CUDA toolkit's folder, with bin/cuobjdump")
	write := flag.Bool("write", false, "write the table into "+page)
	flag.Parse()
	if err := run(*home, *write); err != nil {
		fmt.Fprintln(os.Stderr, "nctrain:", err)
		os.Exit(1)
	}
}

func run(home string, write bool) error {
	files, err := filepath.Glob(filepath.Join(images, "*.fatbin"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("resources: no kernels in %s: make cuda-kernels", images)
	}
	version, err := compilerVersion(filepath.Join(home, "bin", "nvcc"))
	if err != nil {
		return err
	}
	var functions []function
	for _, file := range files {
		for _, arch := range archs {
			found, err := read(filepath.Join(home, "bin", "cuobjdump"), file, arch)
			if err != nil {
				return err
			}
			functions = append(functions, found...)
		}
	}
	if err := check(functions); err != nil {
		return err
	}
	fmt.Printf("resources: %d functions of %d kernels: as stated\n", len(functions), len(files))
	return updatePage(table(functions, version), version, write)
}

func compilerVersion(nvcc string) (string, error) {
	text, err := cuobjdump(nvcc, "--version")
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(text, ", V")
	version, _, _ = strings.Cut(version, "\n")
	return version, nil
}

// function is one function of one kernel for one architecture.
type function struct {
	kernel, name, arch string
	usage
	code []instruction
}

// read gives the functions of a fatbin; none where it is not built for the architecture.
func read(tool, file, arch string) ([]function, error) {
	text, err := cuobjdump(tool, "-res-usage", file)
	if err != nil {
		return nil, err
	}
	usages := parseUsage(text, arch)
	if text, err = cuobjdump(tool, "-sass", "-arch", arch, file); err != nil {
		return nil, err
	}
	code := parseCode(text)
	var out []function
	for name, u := range usages {
		u.shared -= multiprocessors[arch].counted(u.shared)
		if len(code[name]) == 0 {
			return nil, fmt.Errorf("resources: %s: no disassembly of %s for %s", file, name, arch)
		}
		out = append(out, function{strings.TrimSuffix(filepath.Base(file), ".fatbin"), name, arch, u, code[name]})
	}
	slices.SortFunc(out, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// check holds the functions against what they state.
func check(functions []function) error {
	stated := map[string]expectation{}
	for _, e := range expectations {
		stated[e.function] = e
	}
	var wrong []error
	for _, f := range functions {
		e, ok := stated[f.name]
		if !ok {
			wrong = append(wrong, fmt.Errorf("resources: %s states nothing: give it a line in kernels/cuda/resources/table.go", f.name))
			continue
		}
		for _, problem := range e.problems(f) {
			wrong = append(wrong, fmt.Errorf("resources: %s for %s: %s", f.name, f.arch, problem))
		}
	}
	for _, e := range expectations {
		if !slices.ContainsFunc(functions, func(f function) bool { return f.name == e.function }) {
			wrong = append(wrong, fmt.Errorf("resources: no kernel has %s: take its line out of kernels/cuda/resources/table.go", e.function))
		}
	}
	return errors.Join(wrong...)
}

// problems are what a function's code does not show of what it states.
func (e expectation) problems(f function) []string {
	var out []string
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(f.stack > 0 || f.local > 0, "%d bytes of stack and %d of local memory, where there should be none", f.stack, f.local)
	say(countIf(f.code, isLocal) > 0, "%d accesses of local memory: spills, or an array that is not in registers", countIf(f.code, isLocal))
	blocks, share := multiprocessors[f.arch].occupancy(e.threads, f.registers, f.shared+e.dynamic)
	say(100*share < float64(e.percent), "%d blocks of %d threads are resident, %.0f %% of the warps; it states %d %%", blocks, e.threads, 100*share, e.percent)
	loop := hotLoop(f.code)
	say(e.wide && countIf(f.code, isWide) == 0, "no access of 16 bytes of global memory")
	say(e.products && countIf(loop, isWide) == 0, "no access of 16 bytes of global memory in its hot loop")
	say(e.products && countIf(loop, isWide) < countIf(loop, isGlobal), "%d narrow accesses of global memory in its hot loop", countIf(loop, isGlobal)-countIf(loop, isWide))
	say(e.matrix && countIf(loop, isMatrix) == 0, "no HMMA in its hot loop")
	return out
}

// table is what the page shows.
func table(functions []function, version string) string {
	stated := map[string]expectation{}
	for _, e := range expectations {
		stated[e.function] = e
	}
	var b strings.Builder
	fmt.Fprintf(&b, "nvcc %s; a pair of numbers is for %s.\n\n", version, strings.Join(archs, " and "))
	b.WriteString("| function | threads | registers | shared bytes | blocks a multiprocessor | occupancy | 16-byte global accesses | HMMA in the hot loop |\n|---|---|---|---|---|---|---|---|\n")
	type key struct{ kernel, name string }
	rows := map[key][]function{}
	var order []key
	for _, f := range functions {
		k := key{f.kernel, f.name}
		if rows[k] == nil {
			order = append(order, k)
		}
		rows[k] = append(rows[k], f)
	}
	for _, k := range order {
		e := stated[k.name]
		cell := func(of func(function) string) string {
			var cells []string
			for _, f := range rows[k] {
				cells = append(cells, of(f))
			}
			return strings.Join(slices.Compact(cells), ", ")
		}
		occupied := func(f function) (int, float64) {
			return multiprocessors[f.arch].occupancy(e.threads, f.registers, f.shared+e.dynamic)
		}
		name := "`" + k.name + "`"
		if !strings.HasPrefix(k.name, k.kernel) {
			name += " of `" + k.kernel + "`"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", name, e.threads,
			cell(func(f function) string { return fmt.Sprint(f.registers) }),
			cell(func(f function) string { return fmt.Sprint(f.shared + e.dynamic) }),
			cell(func(f function) string { blocks, _ := occupied(f); return fmt.Sprint(blocks) }),
			cell(func(f function) string { _, share := occupied(f); return fmt.Sprintf("%.0f %%", 100*share) }),
			cell(func(f function) string {
				return fmt.Sprintf("%d of %d", countIf(f.code, isWide), countIf(f.code, isGlobal))
			}),
			cell(func(f function) string { return fmt.Sprint(countIf(hotLoop(f.code), isMatrix)) }))
	}
	return b.String()
}

// updatePage writes the table between its marks, or says that it is stale. Another compiler gives other numbers, so only its own version's table can be stale.
func updatePage(table, version string, write bool) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("resources: %s lacks the lines %q and %q: the table goes between them", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	switch {
	case old == table:
		return nil
	case write:
		return wholefile.WriteBytes(page, 0o644, []byte(before+begin+table+end+after))
	case !strings.Contains(old, "nvcc "+version+";"):
		fmt.Printf("resources: the table in %s is of another nvcc than %s: not compared\n", page, version)
		return nil
	}
	return fmt.Errorf("resources: the table in %s is stale: make resources", page)
}
