package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"nctrain/analysis"
	"nctrain/cmd/nctrain/internal/table"
)

// settings sets the tables of what decides the numbers: settings, the processes that worked on the runs, and their sets.
func (p *page) settings(runs []*stored) error {
	p.Settings = &grid{Caption: "Settings", Head: heads("setting")}
	var flat []analysis.Ordered[string]
	keys := []string{}
	for _, r := range runs {
		name := r.name
		if !p.many() {
			name = "value"
		}
		p.Settings.Head = append(p.Settings.Head, cell{Text: name})
		values, err := r.flatSettings()
		if err != nil {
			return fmt.Errorf("report: %s: %w", r.dir, err)
		}
		flat = append(flat, values)
		for _, key := range values.Keys() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	for _, key := range keys {
		line := row{Cells: []cell{{Text: key, Head: true, Code: true}}}
		first, _ := flat[0].Get(key)
		for _, values := range flat {
			text, ok := values.Get(key)
			if !ok || text == "" {
				text = missing
			}
			line.Cells = append(line.Cells, cell{Text: text})
			if value, _ := values.Get(key); value != first {
				line.Class = "differs"
			}
		}
		p.Settings.addRow(line)
	}
	p.Sessions = &grid{Caption: "Processes that worked on it", Head: heads("started", "device", "nctrain", "linear algebra", "from epoch", "command and kernel variants")}
	p.Sets = &grid{Caption: "Sets, as used", Head: heads("role", "set", "images", "classes", "size", "sha256")}
	for _, r := range runs {
		if p.many() {
			p.Sessions.begin(r.name)
			p.Sets.begin(r.name)
		}
		for _, s := range r.config.Sessions {
			p.Sessions.add(cell{Text: moment(s.Started), Head: true, Class: "time"}, cell{Text: s.Device, Note: fmt.Sprintf("%s, %d threads", s.ISA, s.Threads), Class: "text"},
				cell{Text: s.Version, Note: s.Go}, cell{Text: s.BLAS, Class: "text"}, cell{Text: strconv.Itoa(s.FromEpoch), Class: "n"},
				cell{Text: strings.Join(s.Command, " "), Note: strings.Join(s.Variants, " "), Code: true, Class: "long"})
		}
		for _, role := range slices.SortedFunc(maps.Keys(r.config.Sets), roleOrder) {
			s := r.config.Sets[role]
			p.Sets.add(cell{Text: role, Head: true}, cell{Text: s.Set, Note: s.Split + " split"}, plain(float64(s.N), table.Figure), plain(float64(s.Classes), table.Figure),
				cell{Text: fmt.Sprintf("%d×%d", s.Width, s.Height), Class: "n"}, cell{Text: s.SHA256[:min(12, len(s.SHA256))], Hint: s.SHA256, Code: true})
		}
	}
	return nil
}

// moment sets the time of RFC 3339 for people; another text stays.
func moment(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// roleOrder puts training first and OOD sets last.
func roleOrder(a, b string) int {
	rank := func(role string) int {
		if at := slices.Index([]string{"train", "val", "test"}, role); at >= 0 {
			return at
		}
		return 3
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// flatSettings are the settings of config.json by their names there, in order, nested ones joined by dots.
func (r *stored) flatSettings() (analysis.Ordered[string], error) {
	var flat analysis.Ordered[string]
	text, err := json.Marshal(r.config.Settings)
	if err != nil {
		return flat, err
	}
	return flat, flatten(&flat, "", text)
}

func flatten(to *analysis.Ordered[string], prefix string, text json.RawMessage) error {
	var object analysis.Ordered[json.RawMessage]
	if err := object.UnmarshalJSON(text); err != nil {
		return err
	}
	for key, raw := range object.All() {
		if raw[0] == '{' {
			if err := flatten(to, prefix+key+".", raw); err != nil {
				return err
			}
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return err
		}
		to.Set(prefix+key, settingText(value))
	}
	return nil
}

func settingText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, settingText(item))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if name, set := v["name"], v["set"]; name != nil && set != nil && len(v) == 2 {
			return fmt.Sprintf("%v=%v", name, set)
		}
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+"="+settingText(v[key]))
		}
		return strings.Join(parts, " ")
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case nil:
		return ""
	}
	return fmt.Sprint(value)
}
