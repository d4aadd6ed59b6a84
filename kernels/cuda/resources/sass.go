package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// usage is what the compiler says that a function takes.
type usage struct{ registers, stack, local, shared int }

// instruction of a disassembly.
type instruction struct {
	address int
	opcode  string // with its modifiers: "LDG.E.128"
	target  int    // of a branch, else -1
}

var (
	archLine     = regexp.MustCompile(`(?m)^arch = (\S+)$`)
	functionLine = regexp.MustCompile(`Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)`)
	codeLine     = regexp.MustCompile(`(?m)^\s+Function : (\S+)$`)
	// A line of code: address, perhaps a predicate, opcode, operands.
	instructionLine = regexp.MustCompile(`(?m)^\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)([^;]*);`)
	branchTarget    = regexp.MustCompile(`0x([0-9a-f]+)\s*$`)
)

// cuobjdump runs the tool of that name, which needs the nvdisasm beside it.
func cuobjdump(tool string, args ...string) (string, error) {
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("resources: %s %s: %w: %s", tool, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// parseUsage reads `cuobjdump -res-usage` of a fatbin: the functions of one architecture.
func parseUsage(text, arch string) map[string]usage {
	out := map[string]usage{}
	marks := archLine.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		if text[m[2]:m[3]] != arch {
			continue
		}
		for _, f := range functionLine.FindAllStringSubmatch(text[m[1]:end], -1) {
			var u usage
			for j, field := range []*int{&u.registers, &u.stack, &u.shared, &u.local} {
				*field, _ = strconv.Atoi(f[2+j]) // digits by the expression
			}
			out[f[1]] = u
		}
	}
	return out
}

// parseCode reads `cuobjdump -sass` of one architecture.
func parseCode(text string) map[string][]instruction {
	out := map[string][]instruction{}
	marks := codeLine.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		var code []instruction
		for _, l := range instructionLine.FindAllStringSubmatch(text[m[1]:end], -1) {
			address, _ := strconv.ParseInt(l[1], 16, 64)
			in := instruction{int(address), l[2], -1}
			if b := branchTarget.FindStringSubmatch(l[3]); b != nil && strings.HasPrefix(l[2], "BRA") {
				target, _ := strconv.ParseInt(b[1], 16, 64)
				in.target = int(target)
			}
			code = append(code, in)
		}
		out[text[m[2]:m[3]]] = code
	}
	return out
}

// isProduct says whether an instruction is what a hot loop is there for.
func isProduct(opcode string) bool {
	return strings.HasPrefix(opcode, "HMMA") || strings.HasPrefix(opcode, "FFMA") || strings.HasPrefix(opcode, "HGMMA")
}

// hotLoop is the loop with the most products, the innermost of equals; all of the code where no loop has any.
func hotLoop(code []instruction) []instruction {
	best, most := code, 0
	for end, in := range code {
		if in.target < 0 || in.target >= in.address {
			continue
		}
		begin := end
		for begin > 0 && code[begin-1].address >= in.target {
			begin--
		}
		loop := code[begin : end+1]
		if n := countIf(loop, isProduct); n > most || n == most && n > 0 && len(loop) < len(best) {
			best, most = loop, n
		}
	}
	return best
}

func countIf(code []instruction, is func(opcode string) bool) int {
	n := 0
	for _, in := range code {
		if is(in.opcode) {
			n++
		}
	}
	return n
}

// isGlobal says whether an instruction moves data from or to global memory, isWide whether 16 bytes of a thread at once.
func isGlobal(opcode string) bool {
	name, _, _ := strings.Cut(opcode, ".")
	return name == "LDG" || name == "LDGSTS" || name == "STG"
}
func isWide(opcode string) bool { return isGlobal(opcode) && strings.Contains(opcode, ".128") }

// isLocal says whether an instruction is a spill or an array that is not in registers.
func isLocal(opcode string) bool {
	return strings.HasPrefix(opcode, "LDL") || strings.HasPrefix(opcode, "STL")
}

func isMatrix(opcode string) bool { return strings.HasPrefix(opcode, "HMMA") }
