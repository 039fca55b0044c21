// The runs page: a folder of runs, their curves while they are written, settings side by side, pictures and predictions.

import { fill, h, save } from "../dom.js";
import { CLASSES } from "../draw/colour.js";
import { drawCurves, label, nearest } from "../draw/curves.js";
import HELP from "../help/runs.js";
import { tips } from "../tips.js";

const MOST_COMPARED = CLASSES.length;
const SMOOTH = [1, 5, 20, 100, 500];
const COLUMNS = [["run", "Run"], ["recipe", "Made by"], ["state", "State"], ["figure", "First figure"], ["epochs", "Epochs"], ["seconds", "Time in s"], ["finished", "Saved (UTC)"], ["seed", "Seed"]];
const ANSWER_TIME = 2000; // milliseconds in which the studio answers
const LONGEST_UPLOAD = 16 << 20;
const tip = tips("runs", HELP);

export function mount(root, connection, address) {
  const page = new RunsPage(root, connection, address);
  return { close: () => page.close(), restore: (state) => page.restore(state) };
}

class RunsPage {
  constructor(root, connection, address) {
    Object.assign(this, { connection, address, rows: [], chosen: [], asked: null, askedAt: 0, order: { column: "run", down: false }, curves: [], pointer: null, drawn: {} });
    this.build(root);
    connection.onsession = () => this.restore(address.state);
    connection.onframe = ({ header, arrays }) => this.take(header, arrays);
    this.resized = new ResizeObserver(() => this.drawChart());
    this.resized.observe(this.canvas);
    this.onTheme = () => this.drawChart();
    document.addEventListener("theme", this.onTheme);
  }

  close() {
    this.resized.disconnect();
    document.removeEventListener("theme", this.onTheme);
    this.freePictures();
  }

  /** The address holds the runs that are compared, and the one that is looked at. */
  restore(state) {
    const query = new URLSearchParams(state), names = query.getAll("r");
    if (names.length) this.connection.send("select", { runs: names.slice(0, MOST_COMPARED) });
    if (query.get("look")) this.connection.send("look", { run: query.get("look") });
  }

  setState() {
    const query = new URLSearchParams((this.shown?.selected ?? []).map((name) => ["r", name]));
    if (this.looked) query.set("look", this.looked.run);
    this.address.setState(query.toString());
  }

  take(header, arrays) {
    if (header.kind === "runs") this.show(header, arrays);
    else if (header.kind === "run") this.showRun(header);
    else if (header.kind === "picture") this.showPicture(header, arrays.data);
    else if (header.kind === "prediction") this.showPrediction(header, arrays);
  }

  // The parts of the page

  build(root) {
    this.count = h("p", { class: "quiet", role: "status" });
    this.filter = h("input", { type: "search", id: "runs-filter", ...tip("filter"), oninput: () => this.showRows() });
    this.body = h("tbody");
    this.heads = COLUMNS.map(([name, title]) => h("th", { scope: "col" }, h("button", { type: "button", class: "plain", ...tip("sort"), onclick: () => this.sort(name) }, title)));
    root.append(
      h("h1", { class: "visually-hidden" }, "Runs"),
      h("section", { class: "panel stack", "aria-label": "Runs of the folder" },
        h("div", { class: "row" }, h("label", { class: "inline", for: "runs-filter" }, "Filter"), this.filter, this.count),
        h("div", { class: "scroll list", tabindex: 0, role: "region", "aria-label": "List of runs" }, h("table", { class: "data" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Compare"), this.heads)), this.body))),
      this.buildComparison(),
      this.buildRun(),
    );
  }

  buildComparison() {
    const plot = () => this.connection.send("plot", { figure: this.figure.value, axis: this.axis.value, smooth: Number(this.smooth.value) });
    this.figure = h("select", { id: "runs-figure", ...tip("figure"), onchange: plot });
    this.axis = h("select", { id: "runs-axis", ...tip("axis"), onchange: plot }, ["steps", "epochs", "seconds"].map((name) => h("option", { value: name }, name)));
    this.smooth = h("select", { id: "runs-smooth", ...tip("smooth"), onchange: plot }, SMOOTH.map((width) => h("option", { value: width }, width === 1 ? "no mean" : `${width} steps`)));
    this.log = h("input", { type: "checkbox", onchange: () => this.drawChart() });
    this.canvas = h("canvas", { class: "chart", role: "img", "aria-label": "Curves of the compared runs",
      onpointermove: (event) => this.point(event.offsetX), onpointerleave: () => this.point(null) });
    this.legend = h("ul", { class: "legend" });
    this.figures = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures side by side" });
    this.settings = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Settings side by side" });
    this.differing = h("input", { type: "checkbox", onchange: () => this.showSettings() });
    this.comparison = h("section", { class: "panel stack", "aria-label": "Comparison", hidden: true },
      h("div", { class: "row" },
        h("label", { for: "runs-figure", class: "inline" }, "Curves of", this.figure), h("label", { for: "runs-axis", class: "inline" }, "over", this.axis),
        h("label", { for: "runs-smooth", class: "inline" }, "Mean over", this.smooth), h("label", { class: "inline", ...tip("log") }, this.log, "Logarithmic")),
      this.canvas, this.legend,
      h("h2", {}, "Figures"), this.figures,
      h("div", { class: "row" }, h("h2", {}, "Settings"), h("label", { class: "inline", ...tip("differing") }, this.differing, "Only those that differ")), this.settings);
    return this.comparison;
  }

  buildRun() {
    this.runTitle = h("h2", { tabindex: -1 });
    this.about = h("div", { class: "stack" });
    this.pictures = h("div", { class: "pictures" });
    this.predictions = h("div", { class: "stack" });
    this.answer = h("div", { class: "stack answer", role: "status", "aria-live": "polite" });
    this.run = h("section", { class: "panel stack", "aria-label": "One run", hidden: true }, this.runTitle, this.about, this.predictions, this.answer, this.pictures);
    return this.run;
  }

  // The listing and the comparison

  show(header, arrays) {
    this.shown = header;
    this.adopt(header.selected);
    this.rows = header.rows.map((row) => ({ ...row, figure: Object.entries(row.figures).map(([name, value]) => `${name} ${value}`)[0] ?? "" }));
    this.curves = header.curves.map((curve, i) => ({ ...curve, x: arrays[`x${i}`], y: arrays[`y${i}`], colour: this.colour(curve.run), dash: curve.figure === "validation" ? [6, 4] : [] }));
    this.showRows();
    this.comparison.hidden = !header.selected.length;
    this.changed("figures", [header.selected, header.figures], () => fill(this.figures, table(["Figure", ...header.selected], header.figures)));
    this.changed("settings", [header.selected, header.settings], () => this.showSettings());
    this.changed("names", header.plot.figures, () => fill(this.figure, header.plot.figures.map((name) => h("option", { value: name }, name))));
    this.figure.value = header.plot.figure;
    this.axis.value = header.plot.axis;
    this.smooth.value = header.plot.smooth;
    this.drawChart();
    this.setState();
  }

  /** Draw a part again if what it shows is new, so that the focus stays where it is. */
  changed(part, value, draw) {
    const text = JSON.stringify(value);
    if (this.drawn[part] === text) return;
    this.drawn[part] = text;
    draw();
  }

  colour(name) {
    return CLASSES[Math.max(0, this.shown.selected.indexOf(name)) % CLASSES.length];
  }

  sort(column) {
    this.order = { column, down: this.order.column === column ? !this.order.down : false };
    this.showRows();
  }

  showRows() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean), { column, down } = this.order;
    const shown = this.rows.filter((row) => words.every((word) => [row.run, row.recipe, row.state, row.figure].join(" ").toLowerCase().includes(word)));
    shown.sort((a, b) => (typeof a[column] === "number" ? a[column] - b[column] : String(a[column]).localeCompare(String(b[column]), undefined, { numeric: true })) * (down ? -1 : 1));
    this.heads.forEach((head, i) => head.setAttribute("aria-sort", COLUMNS[i][0] === column ? (down ? "descending" : "ascending") : "none"));
    const unreadable = Object.entries(this.shown?.unreadable ?? {}), { left_out = 0, folder = "" } = this.shown ?? {};
    this.count.textContent = `${shown.length} of ${this.rows.length} runs in ${folder}` + (left_out ? `; ${left_out} more are not listed` : "") + (this.rows.length ? "" : ": slopes train writes some");
    this.changed("rows", [shown, unreadable, this.chosen, this.shown?.selected], () => {
      const focused = document.activeElement?.dataset?.key;
      fill(this.body, shown.map((row) => this.row(row)), unreadable.map(([name, why]) => h("tr", { class: "unreadable" }, h("td"), h("th", { scope: "row" }, name), h("td", { colspan: COLUMNS.length - 1 }, why))));
      if (focused) this.body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    });
  }

  row(row) {
    const chosen = this.chosen.includes(row.run);
    const box = h("input", { type: "checkbox", checked: chosen, "data-key": `compare ${row.run}`, "aria-label": `Compare ${row.run}`, ...tip("compare"), onchange: (event) => this.compare(row.run, event.target) });
    const mark = chosen && h("span", { class: "swatch", style: { background: this.colour(row.run) } });
    return h("tr", { class: this.looked?.run === row.run ? "looked" : "" }, h("td", {}, box, mark),
      h("th", { scope: "row" }, h("button", { type: "button", class: "plain name", "data-key": `look ${row.run}`, ...tip("look"), onclick: () => this.look(row.run) }, row.run)),
      h("td", {}, row.recipe), h("td", {}, h("span", { class: `state ${row.state}` }, row.state)), h("td", {}, row.figure),
      h("td", { class: "figure" }, row.epochs || ""), h("td", { class: "figure" }, row.seconds.toFixed(1)), h("td", {}, row.finished.slice(0, 16).replace("T", " ")), h("td", { class: "figure" }, row.seed));
  }

  compare(name, box) {
    const runs = box.checked ? [...this.chosen, name] : this.chosen.filter((other) => other !== name);
    if (runs.length > MOST_COMPARED) {
      box.checked = false;
      this.address.notify(`at most ${MOST_COMPARED} runs are compared: leave one out first`);
      return;
    }
    this.chosen = this.asked = runs;
    this.askedAt = performance.now();
    this.connection.send("select", { runs });
  }

  /** What is chosen: what was asked for last, until the studio has answered that, and not an earlier wish. */
  adopt(selected) {
    if (this.asked && String(selected) !== String(this.asked) && performance.now() - this.askedAt < ANSWER_TIME) return;
    this.asked = null;
    this.chosen = selected;
  }

  showSettings() {
    const { settings, selected } = this.shown, rows = settings.filter((setting) => setting.differs || !this.differing.checked);
    fill(this.settings, rows.length ? table(["Setting", ...selected], rows.map(({ name, values }) => [name, ...values]), rows.map(({ differs }) => (differs ? "differs" : ""))) : h("p", {}, "the settings are the same"));
  }

  point(at) {
    this.pointer = at;
    this.drawChart();
  }

  drawChart() {
    if (!this.shown || this.comparison.hidden) return;
    const { axis, figure } = this.shown.plot;
    const at = drawCurves(this.canvas, { curves: this.curves, xLabel: axis, yLabel: figure, log: this.log.checked, pointer: this.pointer });
    const last = this.curves.map((curve) => (at === null ? { x: curve.x.at(-1), y: curve.y.at(-1) } : nearest(curve, at)));
    fill(this.legend, this.curves.map((curve, i) => h("li", {}, h("span", { class: `swatch ${curve.figure}`, style: { background: curve.colour } }),
      `${curve.run}${curve.network ? ` · ${curve.network}` : ""}, ${curve.figure}`, last[i] && h("span", { class: "quiet" }, ` ${label(last[i].y)} at ${label(last[i].x)} ${axis}`))));
    this.canvas.setAttribute("aria-label", `${figure} over ${axis}: ${this.curves.map((curve, i) => `${curve.run} ${curve.figure} ${last[i] ? label(last[i].y) : ""}`).join("; ") || "no curve"}`);
  }

  // One run

  look(run) {
    this.clicked = true;
    this.connection.send("look", { run });
  }

  showRun(header) {
    this.looked = header;
    this.drawn.rows = "";
    this.run.hidden = false;
    this.runTitle.textContent = header.run;
    const layers = header.networks.map(({ name, layers }) => h("details", {}, h("summary", {}, `${name || "Network"}: ${layers.reduce((sum, layer) => sum + layer.numbers, 0).toLocaleString("en")} parameters and buffers`),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Layers of ${name || "the network"}` }, table(["Path", "Layer", "Numbers"], layers.map(({ path, layer, numbers }) => [path || "net", layer, numbers ? numbers.toLocaleString("en") : ""])))));
    const settings = h("details", {}, h("summary", {}, "Settings and versions"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Settings of the run" }, table(["Setting", "Value"], [...Object.entries(header.settings), ...Object.entries(header.made_with)])));
    const confusion = header.confusion.map(({ target, classes, counts }) => h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Confusion of ${target}` }, h("h3", {}, `Confusion of ${target}`), confusionTable(classes, counts)));
    fill(this.about, header.lines.length ? h("pre", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Results" }, header.lines.join("\n")) : h("p", {}, Object.entries(header.figures).map(([name, value]) => `${name} ${value}`).join(", ")), confusion, layers, settings);
    this.freePictures();
    fill(this.pictures, header.pictures.map((name) => h("figure", { "data-name": name }, h("figcaption", {}, name))));
    for (const name of header.pictures) this.connection.send("picture", { run: header.run, name });
    this.buildPredictions(header);
    this.showRows();
    this.setState();
    if (this.clicked) this.runTitle.focus();
    if (this.clicked) this.run.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
    this.clicked = false;
  }

  freePictures() {
    for (const image of this.pictures.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  }

  showPicture({ run, name, type }, data) {
    const figure = this.pictures.querySelector(`figure[data-name="${CSS.escape(name)}"]`);
    if (this.looked?.run !== run || !figure) return;
    figure.prepend(h("img", { alt: `${name} of ${run}`, src: URL.createObjectURL(new Blob([data], { type })) }));
  }

  buildPredictions({ input, takes }) {
    fill(this.answer);
    if (!input) return fill(this.predictions, h("p", { class: "quiet" }, "This run cannot predict here: it keeps no network, or slopes does not know how to build it."));
    const top = h("input", { type: "number", id: "runs-top", min: 1, max: 20, value: 3, ...tip("top") });
    const words = h("textarea", { id: "runs-text", rows: 2, ...tip(input === "series" ? "series" : "text") });
    const file = h("input", { type: "file", id: "runs-file", ...tip("file"), onchange: () => file.files[0] && this.upload(file.files[0], top, words) });
    const send = h("button", { type: "button", class: "primary", onclick: () => this.connection.send("predict", { text: words.value, top: topOf(top) }) }, "Predict");
    const drop = h("div", { class: "drop stack", ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) this.upload(event.dataTransfer.files[0], top, words); } },
      input !== "file" && h("label", { for: "runs-text" }, input === "series" ? "Series" : `Text (${takes})`, words),
      h("div", { class: "row" }, input !== "file" && send, h("label", { for: "runs-file" }, input === "text" ? "or a file of many" : `File (${takes})`, file), h("label", { for: "runs-top" }, "Answers", top)));
    return fill(this.predictions, h("h3", {}, "Predict"), drop);
  }

  async upload(file, top, words) {
    if (file.size > LONGEST_UPLOAD) return this.address.notify(`${file.name} is larger than ${LONGEST_UPLOAD >> 20} MiB: use slopes predict`);
    fill(this.answer, h("p", { class: "quiet" }, `${file.name}: predicting`));
    this.connection.send("predict", { text: "", top: topOf(top), series: words.value.trim() });
    const refused = await this.connection.upload(file);
    if (refused) fill(this.answer, h("p", {}, refused));
    return undefined;
  }

  showPrediction({ text, rows }, { picture, csv }) {
    fill(this.answer, h("pre", {}, text),
      picture && drawGrey(picture),
      rows.length > 0 && h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "First predictions" }, table(rows[0], rows.slice(1))),
      csv && h("button", { type: "button", onclick: () => save("predictions.csv", csv, "text/csv") }, "Save all as CSV"));
  }
}

const topOf = (input) => Math.max(1, Math.min(20, Math.round(input.valueAsNumber) || 1));

function table(head, rows, classes = []) {
  return h("table", { class: "data" }, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(([name, ...values], i) => h("tr", { class: classes[i] || "" }, h("th", { scope: "row" }, name), values.map((value) => h("td", {}, value))))));
}

/** Counts by true class (rows) and predicted class; the darker, the larger the share of the row. */
function confusionTable(classes, counts) {
  const cell = (count, row, i, j) => {
    const share = count / Math.max(1, row.reduce((a, b) => a + b, 0)), element = h("td", { class: i === j ? "figure right" : "figure" }, count);
    element.style.background = share ? `color-mix(in srgb, var(--${i === j ? "blue" : "orange"}) ${Math.round(8 + 42 * share)}%, transparent)` : "";
    return element;
  };
  return h("table", { class: "data" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "true \\ predicted"), classes.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, counts.map((row, i) => h("tr", {}, h("th", { scope: "row" }, classes[i]), row.map((count, j) => cell(count, row, i, j))))));
}

function drawGrey(picture) {
  const [height, width] = picture.shape, canvas = h("canvas", { width, height, class: "made", role: "img", "aria-label": "The picture that the network made" });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  picture.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas;
}
