package report

import (
	"strings"
	"testing"
)

// FuzzEnding: whatever a log holds, reading it is no error, and an ending is a failure's words.
func FuzzEnding(f *testing.F) {
	f.Add(`{"event":"start"}` + "\n" + `{"event":"failed","epoch":7,"error":"the loss is NaN"}` + "\n")
	f.Add(`{"event":"failed","epoch":"seven"}` + "\n" + `{"event":"done"`)
	f.Add(`{"event":"failed","error":"` + strings.Repeat("x", 1<<16) + `"}` + "\n[1]\n")
	f.Fuzz(func(t *testing.T, log string) {
		ending, err := parseEnding(strings.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		if ending != "" && (!strings.HasPrefix(ending, "training stopped after epoch ") || !strings.Contains(log, "failed")) {
			t.Fatalf("%q from %q", ending, log)
		}
	})
}
