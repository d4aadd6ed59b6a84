package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nctrain/cmd/nctrain/internal/report"
)

// TestPageInChromium loads the page at the widths of a phone, a tablet and a desk, in light and dark, and uses what is to be used: no complaint in the console, nothing asked of
// the network, nothing wider than the window. With NCTRAIN_SCREENSHOTS=DIR pictures and the printed page are kept there, of the run in NCTRAIN_RUN if that is set.
func TestPageInChromium(t *testing.T) {
	findChromium(t)
	dir := os.Getenv("NCTRAIN_RUN")
	if dir == "" {
		dir = writeRun(t, "first", 1)
		rebuild(t, dir, writeRun(t, "second", 2))
	}
	b := openBrowser(t)
	path, err := filepath.Abs(filepath.Join(dir, report.PageFile))
	if err != nil {
		t.Fatal(err)
	}
	pictures := os.Getenv("NCTRAIN_SCREENSHOTS")
	for _, width := range []int{375, 800, 1400} {
		for _, scheme := range []string{"light", "dark"} {
			b.open("file://"+path, width, scheme)
			b.checkPage(width, scheme)
			if pictures != "" {
				b.keep(filepath.Join(pictures, fmt.Sprintf("page_%d_%s.png", width, scheme)), "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true})
			}
		}
	}
	b.open("file://"+path, 800, "dark")
	if pictures != "" {
		b.keep(filepath.Join(pictures, "page.pdf"), "Page.printToPDF", map[string]any{"printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69})
	}
	b.checkUse()
	if pictures != "" {
		b.eval(`document.querySelector("#training").scrollIntoView({behavior: "instant"})`, nil)
		b.keep(filepath.Join(pictures, "use.png"), "Page.captureScreenshot", nil)
	}
	b.checkWithoutScript("file://" + path)
	for _, text := range b.complaints {
		t.Error(text)
	}
}

// TestNothingIsCutOff: at a desk no table of the settings is wider than its place, with long paths and with several runs too, and no number of a tile breaks or runs over, there or
// on a phone.
func TestNothingIsCutOff(t *testing.T) {
	findChromium(t)
	const deep = "cifar100:/scratch/projects/neural_collapse_2026/data/original/cifar-100-binary.tar.gz"
	long := func(name string, seed uint64) string {
		dir := writeRun(t, name, seed)
		path := filepath.Join(dir, "config.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(`"shapes"`), []byte(`"`+deep+`"`)), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	alone, paths, several := writeRun(t, "alone", 1), long("paths", 1), long("several", 1)
	rebuild(t, alone)
	rebuild(t, paths)
	rebuild(t, several, long("second-of-width-16", 2), long("third-of-width-32", 3))
	b := openBrowser(t)
	for _, dir := range []string{alone, paths, several} {
		b.checkCut(dir, dir != several)
	}
}

func (b *browser) checkCut(dir string, tiles bool) {
	b.t.Helper()
	for _, width := range []int{320, 400, 1160, 1200, 1400} {
		b.open("file://"+filepath.Join(dir, report.PageFile), width, "light")
		var page struct {
			Tiles       int
			Broken, Cut []string
		}
		b.eval(`(() => {
			const tiles = [...document.querySelectorAll(".tiles dd")], range = document.createRange();
			const lines = (node) => { range.selectNodeContents(node); return range.getClientRects().length; };
			return {Tiles: tiles.length, Broken: tiles.filter((dd) => lines(dd.firstChild) !== 1 || dd.scrollWidth > dd.clientWidth).map((dd) => dd.textContent),
				Cut: [...document.querySelectorAll(".pair .scroll")].filter((s) => s.scrollWidth > s.clientWidth).map((s) => s.textContent.trim().slice(0, 40))};
		})()`, &page)
		if (tiles && page.Tiles < 4) || len(page.Broken) > 0 || (width > 1000 && len(page.Cut) > 0) {
			b.t.Errorf("%s, width %d: %d tiles, broken %q, cut off %q", filepath.Base(dir), width, page.Tiles, page.Broken, page.Cut)
		}
	}
}

// TestNarrowLogAxisCanBeRead: a loss that stays between two labels of a logarithmic axis has labels all the same.
func TestNarrowLogAxisCanBeRead(t *testing.T) {
	findChromium(t)
	dir := writeRun(t, "narrow", 1)
	const history = "epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy\n1,0.01,4.629,0.01,4.7,0.01\n2,0.005,4.413,0.04,4.428,0.04\n"
	if err := os.WriteFile(filepath.Join(dir, "history.csv"), []byte(history), 0o644); err != nil {
		t.Fatal(err)
	}
	rebuild(t, dir)
	b := openBrowser(t)
	b.open("file://"+filepath.Join(dir, report.PageFile), 1200, "light")
	var labels []string
	b.eval(`[...document.querySelectorAll("#training .panel")].filter((p) => p.querySelector("h4").textContent.startsWith("Loss"))
		.flatMap((p) => [...p.querySelectorAll("svg text[text-anchor=end]")]).map((t) => t.textContent).filter((t) => t !== "epoch")`, &labels)
	if len(labels) < 3 || labels[1] != "4.4" {
		t.Errorf("the axis of the loss is labelled %q", labels)
	}
}

// checkPage holds a loaded page against its window.
func (b *browser) checkPage(width int, scheme string) {
	b.t.Helper()
	var page struct {
		Inner, Scroll, Panels, Lines, Sections int
		Ground                                 string
	}
	b.eval(`({Inner: innerWidth, Scroll: document.documentElement.scrollWidth, Panels: document.querySelectorAll(".panel").length,
		Lines: document.querySelectorAll(".panel svg[tabindex] path").length, Sections: document.querySelectorAll("main > section > h2").length,
		Ground: getComputedStyle(document.body).backgroundColor})`, &page)
	if page.Inner != width || page.Scroll > width {
		b.t.Errorf("a window of %d pixels is %d wide and scrolls over %d", width, page.Inner, page.Scroll)
	}
	if page.Sections < 3 || page.Panels < 2 || page.Lines < page.Panels {
		b.t.Errorf("width %d: %d sections, %d panels with %d lines", width, page.Sections, page.Panels, page.Lines)
	}
	if dark := page.Ground == "rgb(15, 19, 23)"; dark != (scheme == "dark") {
		b.t.Errorf("width %d, %s: the ground is %s", width, scheme, page.Ground)
	}
}

// checkUse sorts a table, reads a curve by keys, hides a line and chooses.
func (b *browser) checkUse() {
	b.t.Helper()
	var use struct {
		Sorted bool
		Tip    string
		Before int
		After  int
		Shown  []string
	}
	b.eval(`(() => {
		const seen = {};
		const table = document.querySelector(".set table.sortable");
		const heads = [...table.querySelectorAll("thead th")];
		const column = heads.findIndex((h) => h.textContent.startsWith("AUROC"));
		heads[column].querySelector("button").click();
		const values = [...table.tBodies[0].querySelectorAll("tr:not(.group)")].map((r) => Number(r.cells[column].dataset.v)).filter((x) => !isNaN(x));
		seen.Sorted = values.length > 1 && values.every((x, i) => !i || values[i - 1] >= x) && heads[column].ariaSort === "descending";
		const panel = document.querySelector(".panel");
		panel.querySelector("svg[tabindex]").dispatchEvent(new KeyboardEvent("keydown", {key: "End"}));
		seen.Tip = panel.querySelector(".tip").textContent;
		const lines = () => document.querySelectorAll("#training .panel svg[tabindex] path").length;
		seen.Before = lines();
		document.querySelector("#training .legend input").click();
		seen.After = lines();
		const choice = document.querySelector("[data-controls=score] select");
		choice.value = choice.options[1].value;
		choice.dispatchEvent(new Event("change"));
		seen.Shown = [...document.querySelector(".set").querySelectorAll(".sheet:not([hidden])")].map((s) => s.dataset.score);
		return seen;
	})()`, &use)
	if !use.Sorted {
		b.t.Error("the table does not sort by AUROC, best first")
	}
	if len(use.Tip) < 10 || use.Tip[:6] != "epoch " {
		b.t.Errorf("a curve answers the End key with %q", use.Tip)
	}
	if use.After >= use.Before {
		b.t.Errorf("a line that is ticked off stays: %d shapes before, %d after", use.Before, use.After)
	}
	if len(use.Shown) != 1 {
		b.t.Errorf("one score was chosen, shown are %v", use.Shown)
	}
}

// checkWithoutScript loads the page with scripts switched off: the still figures must stand in their place.
func (b *browser) checkWithoutScript(url string) {
	b.t.Helper()
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until(func(m message) bool { return m.Method == "Page.loadEventFired" })
	var root struct{ Root struct{ NodeID int } }
	b.call("DOM.getDocument", nil, &root)
	for _, selector := range []string{"#training .still svg", "#collapse .still svg", "#detection .still svg"} {
		var node struct{ NodeID int }
		b.call("DOM.querySelector", map[string]any{"nodeId": root.Root.NodeID, "selector": selector}, &node)
		if node.NodeID == 0 {
			b.t.Errorf("without a script there is no %s", selector)
			continue
		}
		var box struct{ Model struct{ Width, Height int } }
		b.call("DOM.getBoxModel", map[string]any{"nodeId": node.NodeID}, &box)
		if box.Model.Width < 200 || box.Model.Height < 50 {
			b.t.Errorf("without a script %s takes %dx%d pixels", selector, box.Model.Width, box.Model.Height)
		}
	}
}
