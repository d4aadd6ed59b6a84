package analysis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// Ordered is a map that keeps the order of insertion, in JSON too. The zero value is ready for use.
type Ordered[V any] struct {
	keys   []string
	values map[string]V
}

// Set stores a value under key; a key that is there keeps its place.
func (o *Ordered[V]) Set(key string, value V) {
	if o.values == nil {
		o.values = map[string]V{}
	}
	if _, there := o.values[key]; !there {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// Gather appends to the list under key.
func Gather[T any](o *Ordered[[]T], key string, items ...T) {
	list, _ := o.Get(key)
	o.Set(key, append(list, items...))
}

// Get gives the value under key.
func (o Ordered[V]) Get(key string) (V, bool) {
	value, ok := o.values[key]
	return value, ok
}

// Len is the number of keys.
func (o Ordered[V]) Len() int { return len(o.keys) }

// Keys lists the keys in order; the caller owns the slice.
func (o Ordered[V]) Keys() []string { return slices.Clone(o.keys) }

// All iterates in order.
func (o Ordered[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range o.keys {
			if !yield(key, o.values[key]) {
				return
			}
		}
	}
}

// MarshalJSON writes one object with the keys in order.
func (o Ordered[V]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON reads one object, its keys in the order of the text.
func (o *Ordered[V]) UnmarshalJSON(text []byte) error {
	*o = Ordered[V]{}
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("found %v where an object should stand", open)
	}
	for d.More() {
		key, err := d.Token() // a string: the decoder checks it
		if err != nil {
			return err
		}
		var value V
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		o.Set(key.(string), value)
	}
	return nil
}
