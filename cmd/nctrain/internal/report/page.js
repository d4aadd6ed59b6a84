"use strict";
// The page stands without this script. With it still curves answer to pointer and keys, tables sort, and sets and scores are chosen. Names come from data:
// they are only ever set as text.
(() => {
  const svgSpace = "http://www.w3.org/2000/svg";
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const fill = (node, attributes, children) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  };
  const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const shape = (tag, attributes = {}, ...children) => fill(document.createElementNS(svgSpace, tag), attributes, children);

  document.documentElement.classList.add("js");
  const figures = JSON.parse(document.getElementById("curves").textContent);

  // ---- looks: the colours, markers and dashes of package figures, so that still and moving curves read alike ----
  const colours = 7;
  const colour = (look) => `var(--s${look % colours})`;
  const dashes = ["", "7 3", "2 3", "8 3 2 3"];
  const dash = (line) => (line.thin ? "2 3" : dashes[((line.low ? 0 : line.run) + Math.floor(line.look / colours)) % dashes.length]);
  const weight = (line) => (line.thin ? 1.2 : line.faint ? 0.9 : 1.9);
  const markers = [
    (x, y) => `M${x - 3},${y}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z`,
    (x, y) => `M${x - 2.7},${y - 2.7}h5.4v5.4h-5.4z`,
    (x, y) => `M${x},${y - 3.4}l3.2,5.6h-6.4z`,
    (x, y) => `M${x - 3},${y - 3}l6,6m0,-6l-6,6`,
    (x, y) => `M${x - 3.4},${y}h6.8m-3.4,-3.4v6.8`,
    (x, y) => `M${x - 3},${y}a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z`,
    (x, y) => `M${x - 2.7},${y - 2.7}h5.4v5.4h-5.4z`,
  ];
  const marker = (line, x, y) => shape("path", {
    d: markers[line.look % colours](x, y), stroke: colour(line.look), "stroke-width": 1.5, fill: line.look % colours < 3 ? colour(line.look) : "none",
  });
  const swatch = (line) => shape("svg", { width: 26, height: 10, "aria-hidden": "true" },
    shape("line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour(line.look), "stroke-width": weight(line), "stroke-dasharray": dash(line) }),
    ...(line.thin || line.faint ? [] : [marker(line, 13, 5)]));

  // ---- numbers ----
  const text = (x) => {
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size < 1e-3 || size >= 1e6) return x.toExponential(2);
    return x.toFixed(Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(size)))));
  };
  const tickText = (x) => (Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(0) : String(+x.toPrecision(6)));
  const linearTicks = (low, high, count) => {
    const raw = (high - low || 1) / count;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
    return ticks;
  };
  const logTicks = (low, high) => {
    const decades = Math.log10(high / low);
    const ticks = [];
    const every = Math.ceil(decades / 6);
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high) + 1e-9; e++) {
      for (const m of decades < 1 ? [1, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1]) {
        const t = m * 10 ** e;
        if (t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9) && (m > 1 || e % every === 0)) ticks.push(t);
      }
    }
    return ticks.length > 1 ? ticks : linearTicks(low, high, 5); // within so little the axis is as good as linear
  };

  // ---- one panel ----
  class Panel {
    constructor(data, figure) {
      Object.assign(this, { data, figure, off: figure.shared && !data.own ? figure.off : new Set(), at: null });
      for (const s of data.series) if (s.off) this.off.add(s.name);
      this.epochs = [...new Set(data.series.flatMap((s) => s.x))].sort((a, b) => a - b);
      this.svg = shape("svg", {
        height: 230, tabindex: 0, role: "img", "aria-label": `${data.title}, curves over epochs. Left and right arrow keys read the values.`,
        onpointermove: (e) => this.point(e), onpointerdown: (e) => this.point(e), onpointerleave: () => figure.show(null), onkeydown: (e) => this.key(e), onblur: () => figure.show(null),
      });
      this.tip = make("div", { class: "tip", role: "status", hidden: true });
      this.node = make("div", { class: "panel" }, make("h4", {}, data.title, ...(data.y ? [" ", make("span", { class: "unit" }, `(${data.y}${data.log ? ", log scale" : ""})`)] : [])), this.svg, this.tip);
      if (!figure.shared || data.own) this.node.append(legend(data.series, this.off, () => this.draw()));
    }

    lines() {
      return this.data.series.filter((s) => !this.off.has(s.name) && !this.figure.runsOff.has(s.run));
    }

    draw() {
      const width = this.svg.clientWidth;
      if (!width) return; // not on the screen
      const { log } = this.data;
      const lines = this.lines();
      const height = 230, left = 50, right = 14, top = 20, bottom = 34;
      const values = lines.flatMap((s) => s.y).filter((y) => y !== null && (!log || y > 0));
      const zeros = log && lines.some((s) => s.y.includes(0));
      let low = Math.min(...values), high = Math.max(...values, ...lines.flatMap((s) => s.high ?? []));
      low = Math.min(low, ...lines.flatMap((s) => s.low ?? []).filter((y) => !log || y > low / 3)); // less would take up the axis
      if (!values.length) [low, high] = log ? [0.1, 1] : [0, 1];
      if (log) {
        const margin = (high / low) ** 0.05 * 1.05;
        [low, high] = [low / margin / (zeros ? margin * margin : 1), high * margin];
      } else {
        const margin = (high - low) * 0.05 || 1;
        [low, high] = [low - margin, this.data.y === "%" ? Math.min(100.5, high + margin) : high + margin];
      }
      const first = this.epochs[0] ?? 0, span = (this.epochs.at(-1) ?? 1) - first || 1;
      const scale = log ? (y) => (y > 0 ? Math.log(y / low) / Math.log(high / low) : 0) : (y) => (y - low) / (high - low);
      this.x = (e) => left + 4 + (e - first) / span * (width - left - right - 8);
      this.y = (y) => height - bottom - scale(y) * (height - top - bottom);
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const parts = [];
      for (const t of log ? logTicks(low, high) : linearTicks(low, high, 5)) {
        parts.push(shape("line", { class: "rule", x1: left, x2: width - right, y1: this.y(t), y2: this.y(t) }), shape("text", { x: left - 6, y: this.y(t) + 4, "text-anchor": "end" }, tickText(t)));
      }
      for (const t of linearTicks(first, first + span, Math.max(2, Math.floor(width / 70))).filter(Number.isInteger)) {
        parts.push(shape("line", { class: "axis", x1: this.x(t), x2: this.x(t), y1: height - bottom, y2: height - bottom + 4 }), shape("text", { x: this.x(t), y: height - bottom + 17, "text-anchor": "middle" }, String(t)));
      }
      parts.push(shape("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }), shape("text", { x: width - right, y: height - 3, "text-anchor": "end" }, "epoch"));
      let taken = -Infinity; // words stand above the curves, on the side that has room, and not over each other
      for (const m of [...(this.data.marks ?? [])].sort((a, b) => a.x - b.x)) {
        const at = this.x(m.x), long = 6.2 * m.text.length;
        const late = at + long > width;
        parts.push(shape("line", { class: "mark", x1: at, x2: at, y1: top, y2: height - bottom }));
        const from = late ? at - long : at;
        if (from < Math.max(0, taken)) continue;
        taken = from + long + 8;
        parts.push(shape("text", { x: at + (late ? 3 : -3), y: top - 7, "text-anchor": late ? "end" : "start" }, m.text));
      }
      for (const s of lines) if (s.low) parts.push(this.band(s, low));
      for (const s of [...lines].reverse()) parts.push(...this.line(s)); // the headline on top
      if (!values.length) parts.push(shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing chosen"));
      this.guide = shape("g");
      this.svg.replaceChildren(...parts, this.guide);
    }

    // band shades one standard deviation around a mean; on a logarithmic axis one that reaches zero runs to the edge.
    band(s, edge) {
      const place = (y, i) => `${this.x(s.x[i]).toFixed(1)},${this.y(this.data.log ? Math.max(y, edge) : y).toFixed(1)}`;
      return shape("path", { d: `M${[...s.high.map(place), ...s.low.map(place).reverse()].join("L")}Z`, fill: colour(s.look), "fill-opacity": 0.2, stroke: "none" });
    }

    line(s) {
      let path = "", pen = "M";
      const points = [];
      s.y.forEach((y, i) => {
        if (y === null || (this.data.log && !(y > 0))) {
          pen = "M";
          if (y === 0) points.push(shape("path", { d: `M${this.x(s.x[i]) - 4},${this.y(0) - 7}h8l-4,6.5z`, stroke: colour(s.look), fill: "none", "stroke-width": 1.3 }));
          return;
        }
        path += `${pen}${this.x(s.x[i]).toFixed(1)},${this.y(y).toFixed(1)}`;
        pen = "L";
        if (!s.thin && !s.faint && s.y.length <= 40) points.push(marker(s, this.x(s.x[i]), this.y(y)));
      });
      return [shape("path", { d: path || "M0,0", fill: "none", stroke: colour(s.look), "stroke-width": weight(s), "stroke-dasharray": dash(s), "stroke-linejoin": "round" }), ...points];
    }

    point(event) {
      const x = event.clientX - this.svg.getBoundingClientRect().left;
      if (!this.x || !this.epochs.length) return;
      this.figure.show(this.epochs.reduce((a, b) => (Math.abs(this.x(b) - x) < Math.abs(this.x(a) - x) ? b : a)), this);
    }

    key(event) {
      const last = this.epochs.length - 1;
      const now = this.epochs.indexOf(this.figure.epoch);
      const next = { ArrowLeft: now < 0 ? last : Math.max(0, now - 1), ArrowRight: now < 0 ? 0 : Math.min(last, now + 1), Home: 0, End: last }[event.key];
      if (event.key === "Escape") this.figure.show(null);
      if (next === undefined) return;
      event.preventDefault();
      this.figure.show(this.epochs[next], this);
    }

    // show marks an epoch; with words where the reader is.
    show(epoch, words) {
      this.tip.hidden = true;
      if (!this.guide) return;
      this.guide.replaceChildren();
      const at = this.lines().map((s) => [s, s.y[s.x.indexOf(epoch)]]).filter(([, y]) => y !== undefined && y !== null);
      if (epoch === null || !at.length) return;
      this.guide.append(shape("line", { class: "guide", x1: this.x(epoch), x2: this.x(epoch), y1: 20, y2: 196 }));
      for (const [s, y] of at) this.guide.append(shape("circle", { cx: this.x(epoch), cy: this.y(y), r: 4.5, fill: "none", stroke: colour(s.look), "stroke-width": 1.5 }));
      if (!words) return;
      at.sort((a, b) => b[1] - a[1]);
      const runs = this.figure.runs;
      this.tip.replaceChildren(make("b", {}, `epoch ${epoch}`), make("table", {}, make("tbody", {}, ...at.map(([s, y]) => make("tr", {}, make("td", {}, swatch(s)),
        make("td", {}, runs.length > 1 ? `${s.name}, ${runs[s.run]}` : s.name), make("td", {}, s.low ? `${text(y)} ± ${text(y - s.low[s.x.indexOf(epoch)])}` : text(y)))))));
      this.tip.hidden = false;
      const room = this.node.clientWidth - this.tip.offsetWidth;
      const beside = this.x(epoch) + 14;
      this.tip.style.left = `${Math.max(0, Math.min(room, beside <= room ? beside : this.x(epoch) - 14 - this.tip.offsetWidth))}px`;
      this.tip.style.top = `${this.svg.offsetTop + 200}px`; // below the curves: what it covers there, the legend, it says itself
    }
  }

  // legend has a box to tick for each name; changed is called after each tick.
  function legend(series, off, changed) {
    const names = [...new Map(series.map((s) => [s.name, s])).values()];
    return make("ul", { class: "legend" }, ...names.map((s) => {
      const box = make("input", { type: "checkbox", onchange: () => { box.checked ? off.delete(s.name) : off.add(s.name); changed(); } });
      box.checked = !off.has(s.name);
      return make("li", {}, make("label", {}, box, swatch({ ...s, run: 0, faint: false }), s.name));
    }));
  }

  const select = (label, options, changed) => {
    const node = make("select", { onchange: () => changed(node.value) }, ...options.map((o) => make("option", { value: o }, o)));
    return make("label", {}, `${label} `, node);
  };

  // ---- a figure of panels ----
  const drawn = [];
  for (const node of all("figure.curves")) {
    const data = figures[node.dataset.curves];
    if (!data) continue;
    const figure = { shared: data.shared, runs: data.runs, off: new Set(), runsOff: new Set(data.off), epoch: null };
    figure.panels = data.panels.map((p) => new Panel(p, figure));
    figure.draw = () => figure.panels.forEach((p) => p.draw());
    figure.show = (epoch, where) => {
      figure.epoch = epoch;
      for (const p of figure.panels) p.show(epoch, p === where);
    };
    const controls = make("div", { class: "controls" });
    const measures = [...new Set(data.panels.map((p) => p.measure).filter(Boolean))];
    const measure = (chosen) => {
      for (const p of figure.panels) p.node.hidden = Boolean(p.data.measure) && p.data.measure !== chosen;
      figure.draw();
    };
    if (measures.length > 1) controls.append(select("Beside AUROC", measures, measure));
    const still = node.querySelector(".still");
    const button = make("button", { class: "button", type: "button", "aria-expanded": "false", onclick: () => button.setAttribute("aria-expanded", still.classList.toggle("shown")) }, "Still figure");
    controls.append(button);
    const shared = make("div", { class: "shared" });
    if (data.shared) shared.append(legend(data.panels.filter((p) => !p.own).flatMap((p) => p.series), figure.off, figure.draw));
    if (data.runs.length > 1) {
      shared.append(make("ul", { class: "legend", "aria-label": "runs" }, ...data.runs.map((name, run) => {
        const box = make("input", { type: "checkbox", checked: !figure.runsOff.has(run), onchange: () => { box.checked ? figure.runsOff.delete(run) : figure.runsOff.add(run); figure.draw(); } });
        return make("li", {}, make("label", {}, box, swatch({ look: 6, run, low: data.off && !data.off.includes(run), faint: data.off?.includes(run) }), name));
      })));
    }
    node.prepend(controls, shared, make("div", { class: "panels" }, ...figure.panels.map((p) => p.node)));
    measure(measures[0]);
    drawn.push(figure);
    new ResizeObserver(() => figure.draw()).observe(node);
  }

  // ---- tables that sort: rows move within their group ----
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, column) => {
      const value = (row) => {
        const cell = row.cells[column];
        return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
      };
      const button = make("button", { type: "button", onclick: () => {
        const numbers = all("tbody tr:not(.group)", table).some((row) => row.cells[column]?.dataset.v !== undefined);
        const up = head.ariaSort ? head.ariaSort === "descending" : !numbers;
        all("thead th", table).forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        for (const body of table.tBodies) {
          const rows = all("tr:not(.group)", body);
          rows.sort((a, b) => {
            const [p, q] = [value(a), value(b)];
            if (typeof p !== typeof q) return typeof p === "number" ? -1 : 1; // what has no number comes last
            return (p < q ? -1 : p > q ? 1 : 0) * (up ? 1 : -1);
          });
          body.append(...rows);
        }
      } }, ...head.childNodes);
      head.append(button);
    });
  }

  // ---- choose the OOD set, and the score whose sheet is shown ----
  const sets = all(".set");
  const chooseSet = (name) => {
    for (const set of sets) set.hidden = set.dataset.set !== name;
    drawn.forEach((figure) => figure.draw());
  };
  for (const place of all("[data-controls=set]")) {
    if (sets.length < 2) continue;
    place.append(select("Out-of-distribution set", sets.map((s) => s.dataset.set), chooseSet));
    chooseSet(sets[0].dataset.set);
  }
  for (const set of sets) {
    const sheets = all(".sheet", set);
    const choose = (score) => {
      for (const s of sheets) s.hidden = s.dataset.score !== score;
    };
    for (const sheet of sheets) {
      sheet.open = true;
      sheet.querySelector("summary").hidden = true;
    }
    const place = set.querySelector("[data-controls=score]");
    if (!place || !sheets.length) continue;
    place.append(select("One score, larger", sheets.map((s) => s.dataset.score), choose));
    choose(sheets[0].dataset.score);
  }
})();
