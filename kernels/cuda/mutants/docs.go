package mutants

import (
	"fmt"
	"strings"
)

// Markdown is the table of docs/testing.md, which a test holds against it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| source | fault |\n|---|---|\n| each | one of its barriers (`__syncthreads`, `__syncwarp`, `copy_async_wait`) left out, each in turn |\n")
	for _, m := range Table {
		fmt.Fprintf(&b, "| `%s` | %s |\n", m.File, m.What)
	}
	return b.String()
}
