package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeProgram stands in for nctrain: a card that measures one operation, and hangs with a child of its own in the next.
const fakeProgram = `#!/bin/sh
for word; do [ "$before" = --json ] && json=$word; before=$word; done
case "$1 $2" in
"doctor "*) echo '[{"what":"nctrain","found":"v1"},{"what":"device","found":"'"${CARD:-Test Card}"', sm_90"},{"what":"precisions","found":"fp32, tf32"},{"what":"CUDA","found":"13.0"}]' > $json ;;
"kernels list") echo '[{"op":"conv_fprop"},{"op":"conv_fprop"},{"op":"sgd"}]' > $json ;;
"kernels bench")
  case "$*" in
  *fp32*) echo "a line on the way"; sleep 60 & wait ;;
  *) echo '{"peak_gflops":7,"peak_matrix_gflops":9,"peak_gbps":5,"kernels":[{"op":"conv_fprop","variant":"mma","shape":"8x4x4x4_k4_3x3_s1","ms":2}]}' > $json ;;
  esac ;;
*) echo "no such luck" >&2; exit 1 ;;
esac
`

// newSession is a session over an archive of stand-ins, with the results of an earlier one in out if there are any.
func newSession(t *testing.T, root, out string) *session {
	t.Helper()
	s := &session{root: root, scale: cardScale, python: "/nowhere/python", progress: io.Discard}
	if err := s.open(out, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	return s
}

func archive(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"bin/nctrain":                  fakeProgram,
		"tests/kernels/cuda/cuda.test": "#!/bin/sh\nprintf '=== RUN   TestConformance\\n--- PASS: TestConformance (0.10s)\\n'\n",
		"tests/cudart/cudart.test":     "#!/bin/sh\necho '=== RUN   TestLaunch'\nkill -SEGV $$\n",
		"tests/nn/nn.test":             "#!/bin/sh\n[ \"$NCTRAIN_REQUIRE_GPU $2 $3\" = '1 -test.run CUDA' ] && printf '=== RUN   TestCUDA\\n--- PASS: TestCUDA (0.10s)\\n'\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// only gives doctor and the named steps.
func only(t *testing.T, names ...string) []step {
	t.Helper()
	chosen, err := choose(names)
	if err != nil || len(chosen) != len(names)+1 {
		t.Fatal(err, chosen)
	}
	return chosen
}

// A step that hangs is cut off in time, with all that it started, and what it had found by then is in the file; steps of a later call are added to it.
func TestAStepThatHangsLosesNothing(t *testing.T) {
	root, out := archive(t), t.TempDir()
	s := newSession(t, root, out)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	began := time.Now()
	if err := s.run(ctx, only(t, "kernels")); err != nil {
		t.Fatal("speed never fails it: ", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("cut off after %v: the child of what hung was waited for", took)
	}

	later := newSession(t, root, out)
	k := later.results.Kernels
	if k.Outcome.Status != cutOff || len(k.Rows) != 1 || k.Rows[0].Ms != 2 || k.Rows[0].Precision != "tf32" || k.Peaks["tf32"] != (peak{7, 9, 5}) {
		t.Errorf("%+v %v", k, k.Outcome)
	}
	if err := later.run(context.Background(), only(t, "speed", "cudnn")); err != nil {
		t.Fatal(err)
	}
	r := &newSession(t, root, out).results
	if r.Speed.Outcome.Status != done || !strings.Contains(r.Speed.Torch.Error, "/nowhere/python") || len(r.Speed.Groups) != 3 || r.Speed.Groups[0].Contenders[0].Problem != "no such luck (nctrain: exit status 1)" {
		t.Errorf("%+v %v", r.Speed, r.Speed.Outcome)
	}
	if r.CuDNN.Outcome.Status != leftOut || len(r.Kernels.Rows) != 1 {
		t.Errorf("%v, %d rows", r.CuDNN.Outcome, len(r.Kernels.Rows))
	}
	log, err := os.ReadFile(filepath.Join(out, "log.txt"))
	if err != nil || !strings.Contains(string(log), "a line on the way") {
		t.Error("the log lacks what a program said: ", err)
	}
}

// A PyTorch that fails at one thing is asked for the next; one that ends is said to have ended.
func TestTorchAnswersLineByLine(t *testing.T) {
	root := archive(t)
	s := newSession(t, root, t.TempDir())
	s.python = filepath.Join(root, "python")
	script := `#!/bin/sh
echo '{"torch":"9.0","cuda":"13.0","cudnn":"92000","device":"Test Card"}'
read request && echo '{"ms":[3,1,2]}' && read request && echo '{"error":"OutOfMemoryError: too large"}' && read request && echo "$request" >&2
`
	if err := os.WriteFile(s.python, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	peer, err := s.startTorch(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := peer.torchVersion.String(); got != "PyTorch 9.0 on Test Card, CUDA 13.0, cuDNN 92000" {
		t.Error(got)
	}
	asked := s.them(peer, "train", "bf16", true, "inductor", 128)
	if ms, err := asked.measure(context.Background()); err != nil || ms != 2 {
		t.Error(ms, err)
	}
	for _, want := range []string{"OutOfMemoryError: too large", "it ended without an answer"} {
		if _, err := asked.measure(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
	peer.close() // all that it said is in the log then
	log, err := os.ReadFile(s.file("log.txt"))
	want := `{"task":"train","precision":"bf16","samples":20,"channels_last":true,"compile":"inductor","width":64,"batch":128}`
	if err != nil || !strings.Contains(string(log), want) {
		t.Errorf("%v; asked for something else than %s: %s", err, want, log)
	}
}

// A test program that crashes is not accepted; the others are run all the same.
func TestACrashIsNotAccepted(t *testing.T) {
	root, out := archive(t), t.TempDir()
	s := newSession(t, root, out)
	err := s.run(context.Background(), only(t, "conformance"))
	if err == nil || !strings.Contains(err.Error(), "not accepted: conformance failed") || !strings.Contains(err.Error(), "cudart: 0 of 1 tests failed, 1 broke off") {
		t.Error(err)
	}
	var names []string
	for _, test := range s.results.Conformance.Tests {
		names = append(names, test.Name+" "+test.Status)
	}
	if got := strings.Join(names, ", "); got != "TestConformance PASS, TestLaunch BROKE OFF, TestCUDA PASS" {
		t.Error(got)
	}
}

// Results of two machines are not mixed, nor those of a rehearsal with a card's; what was there stays as it was.
func TestResultsOfAnotherMachineAreKept(t *testing.T) {
	root, out := archive(t), t.TempDir()
	if err := newSession(t, root, out).run(context.Background(), steps()[:1]); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(out, "results.json"))
	if err != nil || !json.Valid(before) {
		t.Fatal(err)
	}
	t.Setenv("CARD", "Other Card")
	if err := newSession(t, root, out).run(context.Background(), only(t, "kernels")); err == nil || !strings.Contains(err.Error(), "name another folder") {
		t.Error(err)
	}
	if after, err := os.ReadFile(filepath.Join(out, "results.json")); err != nil || string(after) != string(before) {
		t.Error("results.json was changed: ", err)
	}
	if err := (&session{root: root}).open(out, true); err == nil || !strings.Contains(err.Error(), "rehearsal") {
		t.Error(err)
	}
	if _, err := choose([]string{"kernel"}); err == nil || !strings.Contains(err.Error(), "doctor, conformance") {
		t.Error(err)
	}
}
