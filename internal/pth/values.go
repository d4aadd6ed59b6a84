package pth

import (
	"fmt"
	"slices"
)

// Tuple is a Python tuple.
type Tuple []any

// List is a Python list.
type List struct{ Items []any }

// Dict is a Python dict or OrderedDict whose keys are strings and integers, in its order. Attributes (a state_dict's _metadata) are left out.
type Dict struct {
	keys   []any
	values map[any]any
}

// Keys are the string and int64 keys in the order in which they were set.
func (d *Dict) Keys() []any { return slices.Clone(d.keys) }

// Get looks a key up, a string or an int64.
func (d *Dict) Get(key any) (value any, ok bool) {
	value, ok = d.values[key]
	return value, ok
}

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Put sets the value of a key, a string or an int64.
func (d *Dict) Put(key, value any) {
	if d.values == nil {
		d.values = map[any]any{}
	}
	if _, there := d.values[key]; !there {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
}

// set is Put for what a file says.
func (d *Dict) set(key, value any) error {
	switch key.(type) {
	case string, int64:
	default:
		return fmt.Errorf("a dict with a key that is neither string nor integer (%s)", kind(key))
	}
	if _, twice := d.values[key]; twice {
		return fmt.Errorf("a dict with the key %.80q twice", fmt.Sprint(key))
	}
	d.Put(key, value)
	return nil
}

// kind names a value's type, for errors.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a bool"
	case Tuple:
		return "a tuple"
	case *List:
		return "a list"
	case *Dict:
		return "a dict"
	case *Tensor:
		return "a tensor"
	case *storage:
		return "a storage"
	}
	return "a global"
}
