package analysis_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nctrain/analysis"
	"nctrain/internal/npz"
)

// goldenRow is what testdata/make_features.py says of row i, in the type of the file.
func goldenRow(i int, kind analysis.DType) (features, logits []float64, label int64) {
	for j := range 3 {
		x := float64((7*i+3*j)%16)/8 - 0.5
		switch kind {
		case analysis.Float64:
			x += 0.1
		case analysis.Float32:
			x = float64(float32(x) + float32(0.1))
		}
		features = append(features, x)
	}
	return features, []float64{float64(i), float64(i - 2)}, int64(i % 2)
}

func TestReadsWhatOthersWrite(t *testing.T) {
	loose := "features=testdata/loose_features.npy,labels=testdata/loose_labels.npy,logits=testdata/loose_logits.npy"
	for spec, kind := range map[string]analysis.DType{
		"testdata/numpy_float16.npz": analysis.Float16, "testdata/numpy_float64.npz": analysis.Float64, "testdata/torch.npz": analysis.Float32,
		"testdata/sklearn.npz": analysis.Float64, "testdata/torch.safetensors": analysis.BFloat16, "testdata/pandas.csv": analysis.Float32,
		"testdata/pandas_index.csv": analysis.Float64, "testdata/savetxt.csv": analysis.Float32, loose: analysis.Float32,
		"testdata/loose_*.npy": analysis.Float32, "testdata/torch.npz,testdata/savetxt.csv,testdata/loose_*.npy": analysis.Float32,
	} {
		src, err := analysis.OpenFeatures(spec)
		if err != nil {
			t.Error(err)
			continue
		}
		info := src.Info()
		if info.N%20 != 0 || info.N == 0 || info.D != 3 || info.C != 2 || info.Type != kind {
			t.Errorf("%s: %+v", spec, info)
		}
		if want := map[string]string{"testdata/torch.safetensors": "abc"}[spec]; info.Meta.Checkpoint != want || (want != "" && *info.Meta.Epoch != 7) {
			t.Errorf("%s: %+v", spec, info.Meta)
		}
		for _, from := range []int{0, 1, 17} {
			at := from
			err := src.SweepRows(t.Context(), from, info.N, func(b *analysis.Block) error {
				for i := range b.N {
					features, logits, label := goldenRow((b.Start+i)%20, kind)
					if !slices.Equal(b.Features[3*i:3*i+3], features) || !slices.Equal(b.Logits[2*i:2*i+2], logits) || b.Labels[i] != label {
						return fmt.Errorf("row %d is %v, %v, %d", b.Start+i, b.Features[3*i:3*i+3], b.Logits[2*i:2*i+2], b.Labels[i])
					}
				}
				if b.Start != at {
					return fmt.Errorf("a block starts at row %d, want %d", b.Start, at)
				}
				at += b.N
				return nil
			})
			if err != nil || at != info.N {
				t.Errorf("%s from row %d to %d: %v", spec, from, at, err)
			}
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A set gives the same rows whole and cut into shards of any size and format, in any range, and takes one open file whatever their number.
func TestShardsAreTheWhole(t *testing.T) {
	const n, d, c = 1700, 4, 3
	f, l, y := rows(t, n, d, c)
	dir := t.TempDir()
	at := 0
	for k, size := range []int{1, 511, 512, 513, 100, 63} {
		name := filepath.Join(dir, fmt.Sprintf("shard_%02d", k))
		info := analysis.Info{N: size, D: d, C: c, Meta: analysis.Meta{Checkpoint: "abc", Set: "s", Version: fmt.Sprint(k)}}
		err := analysis.WriteFeatures(name+".npz", info, func(w *analysis.FeatureWriter) error {
			return w.Append(f[at*d:(at+size)*d], l[at*c:(at+size)*c], y[at:at+size])
		})
		if err != nil {
			t.Fatal(err)
		}
		at += size
	}
	src, err := analysis.OpenFeatures(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if got, want := src.Info(), (analysis.Info{Name: dir, N: n, D: d, C: c, Meta: analysis.Meta{Checkpoint: "abc", Set: "s"}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, r := range [][2]int{{0, n}, {0, 1}, {1, 512}, {700, 701}, {511, 1600}, {1699, n}} {
		var gf []float64
		var gy []int64
		start := -1
		if err := analysis.SweepBlocks(t.Context(), analysis.Range(src, r[0], r[1]), 300, func(b *analysis.Block) error {
			if start < 0 {
				start = b.Start
			}
			gf, gy = append(gf, b.Features...), append(gy, b.Labels...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if start != r[0] || !slices.Equal(gf, widen(f[r[0]*d:r[1]*d])) || !slices.Equal(gy, y[r[0]:r[1]]) {
			t.Errorf("rows %v: start at %d, %d labels", r, start, len(gy))
		}
	}
	if err := os.Rename(filepath.Join(dir, "shard_01.npz"), filepath.Join(dir, "shard_04.npz")); err != nil {
		t.Fatal(err)
	}
	if err := src.Sweep(t.Context(), func(*analysis.Block) error { return nil }); err == nil {
		t.Error("a shard that is gone was not missed")
	}
	if err := os.Rename(filepath.Join(dir, "shard_05.npz"), filepath.Join(dir, "shard_01.npz")); err != nil {
		t.Fatal(err)
	}
	if err := src.Sweep(t.Context(), func(*analysis.Block) error { return nil }); err == nil || !strings.Contains(err.Error(), "shard_01.npz") {
		t.Errorf("a shard that is another: %v", err)
	}
}

// part writes a feature file of two rows.
func part(t *testing.T, path string, fill func(*npz.Writer) error) string {
	t.Helper()
	if err := npz.Write(path, fill); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestShardsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	meta := func(w *npz.Writer, hash string) error {
		return npz.Put(w, "meta", []byte(`{"checkpoint":"`+hash+`"}`))
	}
	labels := func(w *npz.Writer) error { return npz.Put(w, "labels", []int64{0, 1}) }
	first := part(t, at("a.npz"), func(w *npz.Writer) error {
		return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2), meta(w, "aaaa"))
	})
	for name, c := range map[string]struct {
		fill func(*npz.Writer) error
		want string
	}{
		"width.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 8), 2, 4), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2), meta(w, "aaaa"))
		}, "features [2,4], " + first + " has [2,3]: shards of one set have one width"},
		"type.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float64, 6), 2, 3), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2), meta(w, "aaaa"))
		}, "features in float64, " + first + " has float32"},
		"model.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2), meta(w, "bbbb"))
		}, "meta.checkpoint bbbb, " + first + " has aaaa: shards of one set come from one model"},
		"nohash.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2))
		}, "meta.checkpoint none, " + first + " has aaaa"},
		"std.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), labels(w), npz.Put(w, "logits", make([]float32, 4), 2, 2),
				npz.Put(w, "meta", []byte(`{"checkpoint":"aaaa","normalization":{"mean":[0,0,0],"std":[1,1,1]}}`)))
		}, "images normalised by {[0 0 0] [1 1 1]}, " + first + " has {[0 0 0] [0 0 0]}: extract all shards with one --mean and --std"},
		"nologits.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), labels(w), meta(w, "aaaa"))
		}, "logits none, " + first + " has [2,2]"},
		"nolabels.npz": {func(w *npz.Writer) error {
			return errors.Join(npz.Put(w, "features", make([]float32, 6), 2, 3), npz.Put(w, "logits", make([]float32, 4), 2, 2), meta(w, "aaaa"))
		}, "there are no labels, which " + first + " has: shards of one set have labels all or none: add an array labels, integers [2]"},
	} {
		path := part(t, at(name), c.fill)
		_, err := analysis.OpenFeatures(first + "," + path)
		if err == nil || !strings.Contains(err.Error(), path+": "+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err %v, want %q", name, err, c.want)
		}
	}
}

func TestSpecsThatNameNothingAreRefused(t *testing.T) {
	empty := t.TempDir()
	alone := filepath.Join(t.TempDir(), "features.npy")
	if err := npz.WriteNPY(alone, make([]float32, 6), 2, 3); err != nil {
		t.Fatal(err)
	}
	torch := filepath.Join(t.TempDir(), "features.pt")
	pickled := &bytes.Buffer{}
	archive := zip.NewWriter(pickled)
	if _, err := archive.Create("features/data.pkl"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archive.Close(), os.WriteFile(torch, pickled.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	const export = "is a file of torch.save, not of numpy.savez: export features and head as nctrain features --help shows"
	for _, spec := range []string{torch, "weight=" + torch} {
		if _, err := analysis.OpenHead(spec); err == nil || !strings.Contains(err.Error(), export) {
			t.Errorf("head %s: %v", spec, err)
		}
	}
	for spec, want := range map[string]string{
		torch:                               torch + " " + export,
		"":                                  "an empty name",
		"testdata/torch.npz,":               "an empty name",
		"testdata/nowhere_*.npz":            "no file matches",
		"testdata/nowhere.npz":              "check the path",
		"testdata/nowhere.csv":              "check the path",
		"testdata/nowhere.safetensors":      "check the path",
		"testdata/[.npz":                    "write a pattern such as",
		empty:                               "holds no .npz, .npy, .safetensors or .csv",
		alone:                               alone + ": there are no labels, which this set needs: write features=F.npy,labels=L.npy[,logits=G.npy], or put labels.npy beside it",
		"testdata/loose_labels.npy":         "one array alone",
		filepath.Dir(alone):                 alone + ": there are no labels",
		"features=" + alone:                 alone + ": there are no labels",
		"labels=" + alone:                   "features are needed: write",
		"features=" + alone + ",features=x": `cannot read "features=x"`,
		"features=" + alone + ",sauce=x":    `cannot read "sauce=x"`,
		"features=" + alone + ",labels=a,b": "1 files of features and 2 of labels",
		"features=testdata/torch.npz,labels=testdata/loose_labels.npy": "holds 3 arrays where one is wanted as features",
	} {
		src, err := analysis.OpenFeatures(spec)
		if err == nil {
			src.Close()
			t.Errorf("%q was opened", spec)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", spec, err, want)
		}
	}
}

func TestCSVSaysWhatIsWrong(t *testing.T) {
	const head = "f0,f1,label,logit0,logit1\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "the file is empty"},
		"blank":          {"\n\n", "the file is empty"},
		"no rows":        {head, "holds no rows"},
		"few fields":     {head + "1,2,0,1,2\n1,2,0,1\n", "line 3: 4 fields, the header has 5: the file was cut off"},
		"many fields":    {head + "1,2,0,1,2,3\n", "line 2: 6 fields"},
		"late":           {head + strings.Repeat("1,2,0,1,2\n", 100) + "1,2\n", "line 102: 2 fields"},
		"word":           {head + "1,two,0,1,2\n", `line 2: column f1: "two" is no number: write one, or leave`},
		"late word":      {head + strings.Repeat("1,2,0,1,2\n", 700) + "1,2,0,x,2\n", `line 702: column logit0: "x" is no number`},
		"no label":       {"f0,f1\n1,2\n", "there are no labels, which this set needs: add a column label"},
		"empty label":    {head + "1,2,,1,2\n", `line 2: column label: the field is empty: fill it`},
		"empty feature":  {head + "1,2,0,1,2\n,2,0,1,2\n", `line 3: column f0: the field is empty: fill it`},
		"late empty":     {head + strings.Repeat("1,2,0,1,2\n", 700) + "1,2,0,,2\n", `line 702: column logit0: the field is empty: fill it`},
		"NaN":            {head + "1,nan,0,1,2\n", `line 2: column f1: "nan" is not finite: fill it`},
		"Inf":            {head + "1,2,0,1,-1e999\n", `line 2: column logit1: "-1e999" is not finite`},
		"half label":     {head + "1,2,0.5,1,2\n", `line 2: column label: "0.5" is no class`},
		"no features":    {"a,label\n1,2\n", "line 1: no columns f0"},
		"semicolons":     {"f0;f1;label\n1;2;0\n", "line 1: no columns f0"},
		"gap":            {"f0,f2,label\n1,2,0\n", "line 1: there is no column f1 before f2"},
		"logit gap":      {"f0,logit1,label\n1,2,0\n", "line 1: there is no column logit0 before logit1"},
		"twice":          {"f0,f0,label\n1,2,0\n", "line 1: two columns are called f0"},
		"both":           {"f0,h0,label\n1,2,0\n", "line 1: columns f0.. and h0..: both would be features"},
		"endless quote":  {head + "1,2,0,\"1,2\n", "line 2: a quote that does not end"},
		"quoted and not": {head + "1,2,0,\"1\"5,2\n", "stands behind a quote"},
		"long":           {head + strings.Repeat("1", 1<<24+1), "line 2: longer than 16 MiB"},
		"quoted header":  {"f0,\"label\n1,2\n", "line 1: a quote that does not end"},
		"huge number":    {"f99999999999999999999,label\n1,0\n", "is no number of a column"},
	} {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := analysis.OpenFeatures(path)
		if err == nil {
			if strings.HasSuffix(c.want, "fields") {
				t.Errorf("%s: a line of another length is not seen when the file is opened", name)
			}
			err = src.Sweep(t.Context(), func(*analysis.Block) error { return nil })
			src.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "analysis: "+path+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: err %.300v, want %q", name, err, c.want)
		}
	}
}

func TestCSVTakesWhatSpreadsheetsWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	text := "\xef\xbb\xbf\"label\", \"f1\",f0,\"a \"\"note\"\", quoted\"\r\n\r\n1,2.5, -1e3 ,\"x,y\"\r\n\"2.0\",4,5.5,\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := analysis.OpenFeatures(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	features, logits, labels := collect(t, src, 0)
	if !slices.Equal(labels, []int64{1, 2}) || len(logits) > 0 || features[0] != -1000 || features[1] != 2.5 || features[2] != 5.5 || features[3] != 4 {
		t.Errorf("features %v, logits %v, labels %v", features, logits, labels)
	}
	if err := os.WriteFile(path, []byte("f,x1,f0,label,logit\n\"1,5\",2,3,4,5\n"), 0o600); err != nil { // f, logit and x1 are no columns of arrays
		t.Fatal(err)
	}
	other, err := analysis.OpenFeatures(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if features, logits, labels := collect(t, other, 0); !slices.Equal(features, []float64{3}) || len(logits) > 0 || !slices.Equal(labels, []int64{4}) {
		t.Errorf("features %v, logits %v, labels %v", features, logits, labels)
	}
	// A file that loses rows between two sweeps.
	if err := os.WriteFile(path, []byte(text[:40]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := src.Sweep(t.Context(), func(*analysis.Block) error { return nil }); err == nil || !strings.Contains(err.Error(), path+": line ") {
		t.Errorf("err %v", err)
	}
}

func TestHeadsOfEveryFormat(t *testing.T) {
	dir := t.TempDir()
	weight, turned, bias := filepath.Join(dir, "w.npy"), filepath.Join(dir, "wt.npy"), filepath.Join(dir, "b.npy")
	if err := errors.Join(npz.WriteNPY(turned, make([]float32, 6), 3, 2), npz.WriteNPY(weight, []float32{1, 2, 3, 4, 5, 6}, 2, 3), npz.WriteNPY(bias, []float32{7, 8})); err != nil {
		t.Fatal(err)
	}
	header := `{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"checkpoint":"abc"}}`
	content := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for _, x := range []float32{1, 2, 3, 4, 5, 6} {
		content = binary.LittleEndian.AppendUint32(content, math.Float32bits(x))
	}
	tensors := filepath.Join(dir, "h.safetensors")
	if err := os.WriteFile(tensors, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for spec, hash := range map[string]string{"weight=" + weight + ",bias=" + bias: "", tensors: "abc"} {
		h, err := analysis.OpenHead(spec)
		if err != nil {
			t.Error(err)
			continue
		}
		if h.C != 2 || h.D != 3 || !slices.Equal(h.Weight, []float64{1, 2, 3, 4, 5, 6}) || (h.Bias != nil) != (hash == "") || h.Meta.Checkpoint != hash {
			t.Errorf("%s: %+v", spec, h)
		}
	}
	for spec, want := range map[string]string{
		"bias=" + bias:                             "array weight: found no such array",
		"weight=" + bias:                           "array weight: found float32 [2], want floating-point weight [C,D]",
		"weight=" + weight + ",sauce=" + bias:      `cannot read "sauce=`,
		"weight=" + weight + ",bias=" + weight:     "want floating-point bias [2], one for each row of weight [2,3]",
		"weight=" + turned + ",bias=" + bias:       "array weight [3,2] beside a bias [2], want weight [C,D], a row a class: transpose it",
		"weight=" + filepath.Join(dir, "none.npy"): "check the path",
		"testdata/torch.safetensors":               "array weight: found no such array",
	} {
		if _, err := analysis.OpenHead(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err %v, want %q", spec, err, want)
		}
	}
}

// FuzzCSV reads arbitrary text: no panic, and what is opened sweeps to its end or says which line is wrong.
func FuzzCSV(f *testing.F) {
	f.Add("f0,f1,label,logit0\n1,2,0,1\n")
	f.Add("\xef\xbb\xbf,\"h0\",label,\"a,b\"\r\n0,1e400,1,\"x\"\"y,z\"\r\n\n1,,2.0,q\n")
	f.Add("# f0,label\n1.0000000001,0\nnan,1\n")
	f.Add("f0,f1\n1,2\n3,4\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "x.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := analysis.OpenRows(path)
		if err != nil {
			return
		}
		defer src.Close()
		n := 0
		err = src.Sweep(context.Background(), func(b *analysis.Block) error { n += b.N; return nil })
		if err == nil && n != src.Info().N {
			t.Errorf("%d rows of %d", n, src.Info().N)
		}
		if err != nil && !strings.Contains(err.Error(), path+": line ") {
			t.Errorf("err %v", err)
		}
	})
}

// TestSweepMemoryDoesNotGrow: four times the rows take no more memory to sweep, in any format, whole or from the middle.
func TestSweepMemoryDoesNotGrow(t *testing.T) {
	const d, few = 8, 32 * 512 // more than the chunk in which any array is read
	dir := t.TempDir()
	write := func(n int) map[string]string {
		at := func(name string) string { return filepath.Join(dir, fmt.Sprintf("%d_%s", n, name)) }
		features, labels := make([]float32, n*d), make([]int64, n)
		text := strings.Builder{}
		for j := range d {
			fmt.Fprintf(&text, "f%d,", j)
		}
		text.WriteString("label\n")
		line := strings.Repeat("0.125,", d) + "0\n"
		for range n {
			text.WriteString(line)
		}
		err := errors.Join(
			npz.WriteNPY(at("features.npy"), features, n, d), npz.WriteNPY(at("labels.npy"), labels),
			npz.Write(at("f.npz"), func(w *npz.Writer) error {
				return errors.Join(npz.Put(w, "features", features, n, d), npz.Put(w, "labels", labels))
			}),
			os.WriteFile(at("f.csv"), []byte(text.String()), 0o600),
			os.WriteFile(at("f.safetensors"), zeroTensors(n, d), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{"npy": "features=" + at("features.npy") + ",labels=" + at("labels.npy"), "npz": at("f.npz"), "csv": at("f.csv"), "safetensors": at("f.safetensors"),
			"shards": at("f.npz") + "," + at("f.npz")}
	}
	allocated := func(spec string, from int) int64 {
		src, err := analysis.OpenFeatures(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		rows := 0
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := src.SweepRows(t.Context(), from, src.Info().N, func(b *analysis.Block) error { rows += b.N; return nil }); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if rows != src.Info().N-from {
			t.Fatalf("%s: %d rows", spec, rows)
		}
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	small, large := write(few), write(4*few)
	for format := range small {
		for _, from := range []int{0, few / 2} {
			if a, b := allocated(small[format], from), allocated(large[format], from); b > a+few*d {
				t.Errorf("%s from row %d: %d bytes for %d rows, %d for %d", format, from, a, few, b, 4*few)
			}
		}
	}
}

// zeroTensors is a .safetensors of float32 features [n,d] and uint8 labels [n], all zero.
func zeroTensors(n, d int) []byte {
	header := fmt.Sprintf(`{"features":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]},"labels":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}}`, n, d, 4*n*d, n, 4*n*d, 4*n*d+n)
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, 4*n*d+n)...)
}

// TestShardsTellWhatTheyAgreeOn: of the rest the set knows nothing.
func TestShardsTellWhatTheyAgreeOn(t *testing.T) {
	dir := t.TempDir()
	one, two := 1, 2
	shard := func(name string, m analysis.Meta) string {
		path := filepath.Join(dir, name)
		m.Checkpoint = "x"
		err := analysis.WriteFeatures(path, analysis.Info{N: 2, D: 1, C: 1, Meta: m}, func(w *analysis.FeatureWriter) error {
			return w.Append([]float32{1, 2}, []float32{1, 2}, []int64{0, 0})
		})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := analysis.Meta{Epoch: &one, Set: "shapes", Split: "train", Version: "1"}
	first := shard("first.npz", base)
	change := func(change func(*analysis.Meta)) analysis.Meta {
		m := base
		change(&m)
		return m
	}
	for name, c := range map[string]struct{ second, want analysis.Meta }{
		"same":      {base, base},
		"epoch":     {change(func(m *analysis.Meta) { m.Epoch = &two }), change(func(m *analysis.Meta) { m.Epoch = nil })},
		"no epoch":  {change(func(m *analysis.Meta) { m.Epoch = nil }), change(func(m *analysis.Meta) { m.Epoch = nil })},
		"set":       {change(func(m *analysis.Meta) { m.Set = "digits" }), change(func(m *analysis.Meta) { m.Set = "" })},
		"split":     {change(func(m *analysis.Meta) { m.Split = "test" }), change(func(m *analysis.Meta) { m.Split = "" })},
		"version":   {change(func(m *analysis.Meta) { m.Version = "2" }), change(func(m *analysis.Meta) { m.Version = "" })},
		"unknowing": {analysis.Meta{}, analysis.Meta{}},
	} {
		src, err := analysis.OpenFeatures(first + "," + shard("second.npz", c.second))
		if err != nil {
			t.Fatal(err)
		}
		c.want.Checkpoint = "x"
		if diff := cmp.Diff(c.want, src.Info().Meta); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		src.Close()
	}
}
