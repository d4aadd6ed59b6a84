package ood

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Kind is the type of a parameter.
type Kind uint8

const (
	// Real: any finite number of at least Param.Least.
	Real Kind = iota
	// Whole: a whole number of at least Param.Least.
	Whole
	// Share: a number in 0..1.
	Share
	// Switch: 0 or 1.
	Switch
)

func (k Kind) String() string { return [...]string{"real", "whole", "share", "switch"}[k] }

// Param is a hyper-parameter: --param NAME.KEY=VALUE.
type Param struct {
	Key     string
	Kind    Kind
	Default float64
	// Least value of a Real or Whole.
	Least float64
	Doc   string
}

// check refuses a value that is not of the parameter's type.
func (p Param) check(x float64) error {
	finite := !math.IsNaN(x) && !math.IsInf(x, 0)
	switch {
	case p.Kind == Real && (!finite || x < p.Least):
		return fmt.Errorf("give a number of at least %g", p.Least)
	case p.Kind == Whole && (x != math.Trunc(x) || x < p.Least || x > 1<<30):
		return fmt.Errorf("give a whole number of at least %g", p.Least)
	case p.Kind == Share && !(x >= 0 && x <= 1):
		return fmt.Errorf("give a share between 0 and 1")
	case p.Kind == Switch && x != 0 && x != 1:
		return fmt.Errorf("give 0 or 1")
	}
	return nil
}

// CheckParams refuses settings "NAME.KEY" = value whose name is unknown, whose value is not of the parameter's type, or whose score is not among the chosen.
func CheckParams(chosen []Detector, settings map[string]float64) error {
	values, err := params(chosen, settings)
	if err != nil {
		return err
	}
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		name, _, _ := strings.Cut(setting, ".")
		if _, there := values[name]; !there {
			return fmt.Errorf("analysis: ood: parameter %s: %s is not among the chosen scores: add it to them, or leave the parameter out", setting, name)
		}
	}
	return nil
}

// Settings are the hyper-parameters of one detector by key, each of its parameter's type.
type Settings map[string]float64

func (s Settings) whole(key string) int { return int(s[key]) }

// params merges the defaults of each chosen detector with settings "NAME.KEY" = value.
func params(chosen []Detector, settings map[string]float64) (map[string]Settings, error) {
	out := map[string]Settings{}
	for _, d := range chosen {
		out[d.Name] = Settings{}
		for _, p := range d.Params {
			out[d.Name][p.Key] = p.Default
		}
	}
	for setting, value := range settings {
		name, key, _ := strings.Cut(setting, ".")
		detector, known := find(name)
		if !known {
			return nil, fmt.Errorf("analysis: ood: parameter %s: there is no score %q: choose from %s", setting, name, strings.Join(allNames(), ", "))
		}
		which := slices.IndexFunc(detector.Params, func(p Param) bool { return p.Key == key })
		if which < 0 {
			var has []string
			for _, p := range detector.Params {
				has = append(has, name+"."+p.Key)
			}
			return nil, fmt.Errorf("analysis: ood: there is no parameter %s: %s has %s", setting, name, cmp.Or(strings.Join(has, ", "), "none"))
		}
		if err := detector.Params[which].check(value); err != nil {
			return nil, fmt.Errorf("analysis: ood: parameter %s is %g: %w", setting, value, err)
		}
		if v, ok := out[name]; ok {
			v[key] = value
		}
	}
	return out, nil
}
