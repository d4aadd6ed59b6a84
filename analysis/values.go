package analysis

import (
	"encoding/json"
	"fmt"
	"math"
)

// Values is an ordered list of named numbers, the headline first. An undefined number is null and carries its reason, so that NaN and Inf
// cannot reach a file. As JSON it is one object: the entries in order, then n, warnings and reasons where there are any.
type Values struct {
	entries  []entry
	N        int
	Warnings []string
}

type entry struct {
	key    string
	value  any // float64, [2]float64, string; nil is null
	reason string
}

func (v *Values) put(e entry) {
	for i := range v.entries {
		if v.entries[i].key == e.key {
			v.entries[i] = e
			return
		}
	}
	v.entries = append(v.entries, e)
}

// Set stores a number. One that is not finite becomes null, with that as its reason.
func (v *Values) Set(key string, x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		v.Null(key, fmt.Sprintf("not finite (%g)", x))
		return
	}
	v.put(entry{key: key, value: x})
}

// SetPair stores an interval, as Set.
func (v *Values) SetPair(key string, low, high float64) {
	if s := low + high; math.IsNaN(s) || math.IsInf(s, 0) {
		v.Null(key, fmt.Sprintf("not finite (%g, %g)", low, high))
		return
	}
	v.put(entry{key: key, value: [2]float64{low, high}})
}

// SetText stores a text.
func (v *Values) SetText(key, text string) { v.put(entry{key: key, value: text}) }

// Null stores that the value is undefined, and why.
func (v *Values) Null(key, reason string) { v.put(entry{key: key, reason: reason}) }

// Warn appends a warning.
func (v *Values) Warn(format string, args ...any) {
	v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...))
}

// Get gives a number; false where it is null, absent or not a number.
func (v Values) Get(key string) (float64, bool) {
	x, ok := v.lookup(key).value.(float64)
	return x, ok
}

// Pair gives an interval, as Get.
func (v Values) Pair(key string) (low, high float64, ok bool) {
	p, ok := v.lookup(key).value.([2]float64)
	return p[0], p[1], ok
}

// Text gives a text, empty where there is none.
func (v Values) Text(key string) string {
	s, _ := v.lookup(key).value.(string)
	return s
}

// Reason tells why a value is null; empty where it is not.
func (v Values) Reason(key string) string { return v.lookup(key).reason }

// Keys lists the entries in order, nulls too.
func (v Values) Keys() []string {
	keys := make([]string, len(v.entries))
	for i, e := range v.entries {
		keys[i] = e.key
	}
	return keys
}

func (v Values) lookup(key string) entry {
	for _, e := range v.entries {
		if e.key == key {
			return e
		}
	}
	return entry{}
}

// MarshalJSON writes the object described at Values.
func (v Values) MarshalJSON() ([]byte, error) {
	var all Ordered[any]
	reasons := map[string]string{}
	for _, e := range v.entries {
		all.Set(e.key, e.value)
		if e.value == nil {
			reasons[e.key] = e.reason
		}
	}
	if v.N != 0 {
		all.Set("n", v.N)
	}
	if len(v.Warnings) > 0 {
		all.Set("warnings", v.Warnings)
	}
	if len(reasons) > 0 {
		all.Set("reasons", reasons)
	}
	return all.MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Values) UnmarshalJSON(text []byte) error {
	var all Ordered[json.RawMessage]
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	*v = Values{}
	reasons := map[string]string{}
	if raw, ok := all.Get("reasons"); ok {
		if err := json.Unmarshal(raw, &reasons); err != nil {
			return fmt.Errorf("reasons: %w", err)
		}
	}
	for key, raw := range all.All() {
		var err error
		switch {
		case key == "n":
			err = json.Unmarshal(raw, &v.N)
		case key == "warnings":
			err = json.Unmarshal(raw, &v.Warnings)
		case key == "reasons":
		case raw[0] == '[':
			var p [2]float64
			err = json.Unmarshal(raw, &p)
			v.put(entry{key: key, value: p})
		case raw[0] == '"':
			var s string
			err = json.Unmarshal(raw, &s)
			v.SetText(key, s)
		case string(raw) == "null":
			v.Null(key, reasons[key])
		default:
			var x float64
			err = json.Unmarshal(raw, &x)
			v.Set(key, x)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
