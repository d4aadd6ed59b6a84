package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"

	"nctrain/cmd/nctrain/internal/table"
)

var (
	//go:embed page.tmpl
	pageText string
	//go:embed page.css
	styleText string
	//go:embed page.js
	scriptText string
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Title, Lead, Version string
	Style                template.CSS
	Script               template.JS
	// ScriptHash lets the page's own script run and no other: the policy in its head forbids the rest, and all loading.
	ScriptHash string

	Runs     []string
	Warnings []warning
	Earlier  []warning // of checkpoints before the last
	Facts    []fact    // health of one run
	Health   *grid     // of several
	Tiles    []tile
	Overview *grid // nil for one run
	Spread   *grid // nil unless the runs differ in their seed alone

	Settings, Sessions, Sets *grid

	Training       *grid
	TrainingFigure *panelSet
	Collapse       []*grid // a grid a run
	Checkpoints    *grid
	Classes        []*grid // a grid a run
	CollapseFigure *panelSet
	Cosines        []still
	Detection      []*setView
	Directions     []cell // metric, direction, meaning
	Fits           []*grid
	Images         []imageView

	// Curves are what the script draws.
	Curves map[string]*curves
}

// tile is one number at a glance.
type tile struct{ Label, Value, Note string }

// warning of a run; Run is empty where there is one run.
type warning struct{ Run, Text string }

// still is a figure that stands without a script.
type still struct {
	Run string
	SVG template.HTML
}

// panelSet is a figure of curves: still, and by name in page.Curves for the script.
type panelSet struct {
	Name, Caption string
	Stills        []still
}

// setView is what belongs to one OOD set.
type setView struct {
	Name   string
	Lead   string
	Table  *grid
	Figure *panelSet
	Of     string // the run that Grids and Sheets are of; empty where there is one run
	Grids  []still
	Sheets []sheetView
}

type sheetView struct {
	Set, Score string
	SVG        template.HTML
}

// imageView is a contact sheet.
type imageView struct {
	Title, Note   string
	Width, Height int
	Data          template.URL
}

// compose sets the page.
func compose(dir string, runs []*stored, d drawings, version string) (*page, error) {
	hash := sha256.Sum256([]byte(scriptText))
	title := runs[0].name
	if runs[0].dir != dir {
		title = folderName(dir)
	}
	p := &page{
		Title: title, Version: version, Style: template.CSS(styleText), Script: template.JS(scriptText),
		ScriptHash: base64.StdEncoding.EncodeToString(hash[:]), Curves: map[string]*curves{},
	}
	for _, r := range runs {
		p.Runs = append(p.Runs, r.name)
	}
	p.Lead = lead(runs)
	p.health(runs)
	if len(runs) > 1 {
		p.Overview = overview(runs)
		p.Spread = spreadGrid(runs)
	} else {
		p.Tiles = tiles(runs[0])
	}
	if err := p.settings(runs); err != nil {
		return nil, err
	}
	p.training(runs, d)
	p.collapse(runs, d)
	p.detection(runs, d)
	p.images(runs)
	return p, nil
}

// many tells whether runs stand side by side.
func (p *page) many() bool { return len(p.Runs) > 1 }

// stills gathers the figures of one name: that of all seeds together first, then those of each run.
func (p *page) stills(d drawings, name string) (all []still) {
	if svg, ok := d[seedsName(name)]; ok {
		all = append(all, still{Run: "all seeds", SVG: svg})
	}
	for i, run := range p.Runs {
		if svg, ok := d[drawingKey(i, name)]; ok {
			s := still{SVG: svg}
			if p.many() {
				s.Run = run
			}
			all = append(all, s)
		}
	}
	return all
}

// lead is the sentence under the title.
func lead(runs []*stored) string {
	r := runs[0]
	s := r.config.Settings
	text := fmt.Sprintf("ResNet-18 of width %d trained on %s", s.Width, s.Data)
	if train, ok := r.config.Sets["train"]; ok {
		text += fmt.Sprintf(" (%s images, %d classes)", table.Count(train.N), train.Classes)
	}
	text += fmt.Sprintf(" for %d of %d epochs", r.history.epochs(), s.Training.Epochs)
	if sets := oodSets(runs[:1]); len(sets) > 0 {
		text += ", held against " + strings.Join(sets, ", ")
	}
	if onlySeedsDiffer(runs) {
		var seeds []string
		for _, r := range runs {
			seeds = append(seeds, fmt.Sprint(r.config.Settings.Training.Seed))
		}
		text += fmt.Sprintf("; n = %d seeds: %s", len(runs), strings.Join(seeds, ", "))
	} else if others := runs[1:]; len(others) > 0 {
		var names []string
		for _, o := range others {
			names = append(names, o.name)
		}
		text += "; beside it " + strings.Join(names, ", ")
	}
	return text + "."
}

// images shows the contact sheets of the first run, and of others where they have other images.
func (p *page) images(runs []*stored) {
	seen := map[string]bool{}
	for _, r := range runs {
		for _, t := range r.thumbs {
			key := t.name
			if name, ok := strings.CutPrefix(key, "ood_"); ok {
				key = "ood/" + name
			}
			record := r.config.Sets[key]
			id := key + record.SHA256
			if seen[id] {
				continue
			}
			seen[id] = true
			note := ""
			if record.N > 0 {
				note = fmt.Sprintf("%s, %s split: %s images of %d×%d", record.Set, record.Split, table.Count(record.N), record.Width, record.Height)
			}
			title := map[string]string{"train": "Training", "test": "Test", "val": "Held out"}[t.name]
			if title == "" {
				title = "OOD: " + strings.TrimPrefix(t.name, "ood_")
			}
			if p.many() {
				title += " (" + r.name + ")"
			}
			p.Images = append(p.Images, imageView{title, note, t.width, t.height, t.data})
		}
	}
}
