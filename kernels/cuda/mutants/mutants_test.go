package mutants

import (
	"flag"
	"os"
	"strings"
	"testing"
)

func kernelSources(t *testing.T) Sources {
	t.Helper()
	src, err := ReadSources("..")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Each mutant finds its line, changes it, and is part of a kernel: so a kernel cannot be edited away from under its mutants.
func TestEveryMutantApplies(t *testing.T) {
	src := kernelSources(t)
	mutants := src.Mutants()
	if len(Table) < 30 || len(mutants) <= len(Table) {
		t.Errorf("%d faults in the table and %d barriers: too few", len(Table), len(mutants)-len(Table))
	}
	seen := map[Mutant]bool{}
	for _, m := range mutants {
		changed, err := m.Apply(src[m.File])
		switch {
		case err != nil:
			t.Error(err)
		case changed == src[m.File]:
			t.Errorf("%v: changes nothing", m)
		case len(src.Kernels(m.File)) == 0:
			t.Errorf("%v: is in no kernel", m)
		case seen[m]:
			t.Errorf("%v: stands twice", m)
		}
		seen[m] = true
	}
}

func TestBarriersAreRemovedOneAtATime(t *testing.T) {
	const source = "a;\n__syncthreads();\nb;\ncopy_async_wait<kStages - 2>();\n__syncthreads();  // why\n__syncwarp(mask);\n"
	mutants := barriers("k.cu", source)
	if len(mutants) != 4 {
		t.Fatalf("%d barriers found, 4 are there: %v", len(mutants), mutants)
	}
	for i, want := range []string{
		"a;\n(void)0;\nb;\ncopy_async_wait<kStages - 2>();\n__syncthreads();  // why\n__syncwarp(mask);\n",
		"a;\n__syncthreads();\nb;\n(void)0;\n__syncthreads();  // why\n__syncwarp(mask);\n",
		"a;\n__syncthreads();\nb;\ncopy_async_wait<kStages - 2>();\n(void)0;  // why\n__syncwarp(mask);\n",
		"a;\n__syncthreads();\nb;\ncopy_async_wait<kStages - 2>();\n__syncthreads();  // why\n(void)0;\n",
	} {
		if got, err := mutants[i].Apply(source); err != nil || got != want {
			t.Errorf("%v: %q, %v", mutants[i], got, err)
		}
	}
}

func TestAMutantWhoseLineIsGoneIsAnError(t *testing.T) {
	for _, source := range []string{"", "x = 1; x = 1;"} {
		if _, err := (Mutant{"k.cu", "x = 1;", "", "x forgotten"}).Apply(source); err == nil || !strings.Contains(err.Error(), "table.go") {
			t.Errorf("%q: %v", source, err)
		}
	}
}

var update = flag.Bool("update", false, "write the list into docs/testing.md")

func TestThePageListsTheMutants(t *testing.T) {
	const page, begin, end = "../../../docs/testing.md", "<!-- begin: mutants -->\n", "<!-- end: mutants -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	list, after, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Fatalf("%s lacks the lines %q and %q", page, begin, end)
	case *update:
		if err := os.WriteFile(page, []byte(before+begin+Markdown()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case list != Markdown():
		t.Errorf("%s has another list: go test ./kernels/cuda/mutants -update", page)
	}
}
