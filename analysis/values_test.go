package analysis_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"nctrain/analysis"
)

func TestValuesNeverHoldNaN(t *testing.T) {
	v := analysis.Values{N: 3}
	v.Set("zeta", 1.5)
	v.Set("alpha", math.NaN())
	v.Set("inf", math.Inf(1))
	v.SetPair("ci", 1, 2)
	v.SetPair("bad", 1, math.NaN())
	v.SetPair("endless", math.Inf(-1), 2)
	v.SetText("fit", "train")
	v.Null("none", "one class")
	v.Warn("look at %s", "this")
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"zeta":1.5,"alpha":null,"inf":null,"ci":[1,2],"bad":null,"endless":null,"fit":"train","none":null,"n":3,"warnings":["look at this"],` +
		`"reasons":{"alpha":"not finite (NaN)","bad":"not finite (1, NaN)","endless":"not finite (-Inf, 2)","inf":"not finite (+Inf)","none":"one class"}}`
	if string(text) != want {
		t.Fatalf("got  %s\nwant %s", text, want)
	}
	var back analysis.Values
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if string(again) != want {
		t.Fatalf("after a round trip: %s", again)
	}
	if _, ok := back.Get("alpha"); ok || back.Reason("none") != "one class" {
		t.Fatal("null came back as a number or without its reason")
	}
	if err := json.Unmarshal([]byte(`{"alpha":2}`), &back); err != nil || !slices.Equal(back.Keys(), []string{"alpha"}) || back.N != 0 || back.Warnings != nil {
		t.Errorf("read over others: %+v, %v", back, err)
	}
	back.Set("beta", 3)
	back.Set("alpha", 4)
	if x, _ := back.Get("alpha"); x != 4 || !slices.Equal(back.Keys(), []string{"alpha", "beta"}) {
		t.Errorf("set again: %+v", back)
	}
}

func TestOrderedIsReadOverWhatItHeld(t *testing.T) {
	var o analysis.Ordered[int]
	o.Set("old", 1)
	if err := json.Unmarshal([]byte(`{"new":2}`), &o); err != nil || !slices.Equal(o.Keys(), []string{"new"}) {
		t.Errorf("%v, %v", o.Keys(), err)
	}
}

func TestOrderedKeepsItsOrder(t *testing.T) {
	var o analysis.Ordered[int]
	for i, key := range []string{"z", "a", "m", "a"} {
		o.Set(key, i)
	}
	text, err := json.Marshal(o)
	if err != nil || string(text) != `{"z":0,"a":3,"m":2}` {
		t.Fatalf("%s, err %v", text, err)
	}
	var back analysis.Ordered[int]
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back.Keys(), []string{"z", "a", "m"}) || back.Len() != 3 {
		t.Fatalf("%v, err %v", back.Keys(), err)
	}
	if err := json.Unmarshal([]byte(`[1]`), &back); err == nil {
		t.Fatal("an array was read as an object")
	}
}

// FuzzValues: what can be read can be written, and is then read as the same.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"a":1.5,"b":null,"ci":[1,2],"fit":"train","n":3,"warnings":["w"],"reasons":{"b":"one class"}}`))
	f.Add([]byte(`{"a":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v, w analysis.Values
		if json.Unmarshal(text, &v) != nil {
			return
		}
		once, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(once, &w); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if again, err := json.Marshal(w); err != nil || string(again) != string(once) {
			t.Fatalf("%s became %s, err %v", once, again, err)
		}
	})
}
