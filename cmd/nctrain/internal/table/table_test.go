package table

import (
	"strings"
	"testing"
)

func TestColumnsAlign(t *testing.T) {
	table := New("score", "AUROC ↑", "note").Left(2)
	table.Row("msp", "91.25", "fit")
	table.Row("mahalanobis", "7.00")
	var out strings.Builder
	if err := table.Write(&out, "  "); err != nil {
		t.Fatal(err)
	}
	want := "  score        AUROC ↑  note\n" +
		"  msp            91.25  fit\n" +
		"  mahalanobis     7.00\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestNumbersHaveSensibleDigits(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1.000", 0.14384: "0.1438", 0.0123456: "0.01235", 206.9412: "206.9", 12345.6: "12346", -2.5: "-2.500",
		1.0289e-17: "1.03e-17", 6590648: "6.59e+06"} {
		if got := Number(x); got != want {
			t.Errorf("Number(%v) is %s, want %s", x, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12345678: "12,345,678", -1234: "-1,234", -123: "-123"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) is %s, want %s", n, got, want)
		}
	}
	for x, want := range map[float64]string{12345678: "12,345,678", -3: "-3", 0.125: "0.1250", 1e15: "1.00e+15"} {
		if got := Figure(x); got != want {
			t.Errorf("Figure(%g) is %s, want %s", x, got, want)
		}
	}
	if got := Bytes(3 << 20); got != "3 MiB" {
		t.Errorf("Bytes of 3 MiB is %s", got)
	}
	if got := Optional(1, false, Percent); got != Missing {
		t.Errorf("a missing number is %s", got)
	}
}
