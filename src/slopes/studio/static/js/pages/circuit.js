// The circuit page: an expression, its graph, and back-propagation one edge at a time.

import { copy, fill, h, s, save } from "../dom.js";
import HELP from "../help/circuit.js";
import { tips } from "../tips.js";

const TYPING = 200; // milliseconds without a key before a text is sent
const LARGEST_SCALE = 2.2, SMALLEST_SCALE = 0.9;
const tip = tips("circuit", HELP);
const TOP = 34; // room for a legend, which the page has above the picture

export function mount(root, connection, address) {
  const page = new CircuitPage(root, connection, address);
  return { close: () => page.close(), restore: (state) => page.restore(state) };
}

class CircuitPage {
  constructor(root, connection, address) {
    Object.assign(this, { connection, address, taken: 0, size: 1, unsent: false, scene: null, text: "", timer: 0 });
    this.build(root);
    connection.onsession = () => (this.unsent ? this.sendText() : this.restore(address.state));
    connection.onframe = ({ header }) => (header.kind === "file" ? this.takeFile(header) : this.show(header));
    this.resized = new ResizeObserver(() => this.scale());
    this.resized.observe(this.figure);
  }

  close() {
    this.resized.disconnect();
    clearTimeout(this.timer);
  }

  restore(state) {
    const query = new URLSearchParams(state);
    if (query.get("t")) this.connection.send("write", { text: query.get("t") });
    if (query.get("k")) this.wished = Number(query.get("k")) || 0;
  }

  build(root) {
    this.presets = h("select", { id: "circuit-preset", ...tip("preset"), onchange: (event) => this.choose(event.target.value) });
    this.about = h("p", { class: "quiet" });
    this.area = h("textarea", {
      id: "circuit-text", class: "code", rows: 5, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "circuit-error",
      ...tip("text"), oninput: () => this.typed(),
    });
    this.error = h("div", { id: "circuit-error", role: "status", class: "wrong", hidden: true });
    this.values = h("div", { class: "values" });
    this.remarks = h("p", { class: "quiet" });
    this.back = this.button("◀ Back", "back", () => this.take(this.taken - 1));
    this.next = this.button("Next ▶", "next", () => this.take(this.taken + 1), "primary");
    this.none = this.button("None", "none", () => this.take(0));
    this.every = this.button("All", "all", () => this.take(Infinity));
    this.opened = h("input", { type: "checkbox", onchange: (event) => this.connection.send("open", { on: event.target.checked }) });
    this.open = h("label", { class: "inline", ...tip("open") }, this.opened, "Open functions");
    this.figure = h("div", { class: "figure", onkeydown: (event) => this.key(event) });
    this.sentence = h("p", { class: "sentence", role: "status", "aria-live": "polite" });
    this.list = h("ol", { class: "steps" });
    root.append(
      h("h1", { class: "visually-hidden" }, "Circuit"),
      h("section", { class: "panel stack controls", "aria-label": "Expression" },
        h("label", { for: "circuit-preset" }, "Example"), this.presets, this.about,
        h("label", { for: "circuit-text" }, "Expression"), this.area, this.error,
        h("h2", {}, "Values"), this.values, this.remarks),
      h("section", { class: "panel stack", "aria-label": "Circuit" },
        h("div", { class: "row" }, this.back, this.next, this.none, this.every, this.open, h("span", { class: "grow" }),
          this.button("Copy as Python", "python", () => this.connection.send("save", { form: "python" })),
          this.button("Save SVG", "svg", () => this.connection.send("save", { form: "svg" }))),
        h("p", { class: "legend" }, h("span", { class: "value" }, "value"), h("span", { class: "gradient" }, "gradient of the result"), h("span", { class: "local" }, "local gradient"), h("span", { class: "quiet" }, "upstream · local = product")),
        this.figure, this.sentence,
        h("details", {}, h("summary", {}, "All products in order"), this.list)),
    );
  }

  button(label, name, action, kind = "") {
    return h("button", { type: "button", class: kind, ...tip(name), onclick: action }, label);
  }

  // What the page sends

  choose(name) {
    this.taken = 0;
    this.connection.send("preset", { name });
  }

  typed() {
    clearTimeout(this.timer);
    this.unsent = true;
    this.timer = setTimeout(() => this.sendText(), TYPING);
  }

  /** Send the text; while there is no connection it waits for one. */
  sendText() {
    this.unsent = !this.connection.send("write", { text: this.area.value });
  }

  setNumber() {
    for (const value of this.shown.values) {
      const numbers = [...this.values.querySelectorAll(`input[data-name="${value.name}"]`)].map((input) => input.valueAsNumber);
      const changed = numbers.some((number, i) => number !== value.numbers[i]);
      if (changed && numbers.every(Number.isFinite)) this.connection.send("value", { name: value.name, numbers });
    }
  }

  key(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by || !this.scene) return;
    event.preventDefault();
    this.take(this.taken + by);
    this.figure.querySelector(`[data-step="${this.taken - 1}"]`)?.focus();
  }

  async takeFile({ name, type, text }) {
    if (name.endsWith(".py")) this.address.notify((await copy(text)) ? "copied: a Python program" : "the clipboard is closed to this page");
    else save(name, text, type);
  }

  // What the page shows

  show(header) {
    this.shown = header;
    if (header.text !== this.area.value && document.activeElement !== this.area) this.area.value = header.text;
    this.area.rows = Math.min(12, Math.max(4, header.text.split("\n").length + 1));
    this.showPresets(header);
    this.showError(header.error);
    this.showValues(header.values);
    this.remarks.textContent = header.remarks.join("; ");
    this.opened.checked = header.opened;
    this.open.hidden = !header.functions;
    if (!header.scene) return;
    const before = this.scene?.steps.length;
    this.scene = header.scene;
    if (before !== undefined && before !== this.scene.steps.length) this.taken = 0;
    if (this.wished !== undefined) this.taken = this.wished;
    this.wished = undefined;
    this.figure.classList.toggle("stale", Boolean(header.error));
    this.draw();
    this.take(this.taken);
  }

  showPresets({ presets, text }) {
    if (!this.presets.options.length) fill(this.presets, presets.map(({ name, title }) => h("option", { value: name }, title)), h("option", { value: "", hidden: true }, "your own"));
    const preset = presets.find((known) => bare(known.text) === bare(text));
    this.presets.value = preset?.name ?? "";
    if (preset) this.about.textContent = preset.about;
  }

  showError(error) {
    this.error.hidden = !error;
    this.area.setAttribute("aria-invalid", error ? "true" : "false");
    if (!error) return;
    const before = this.shown.text.slice(0, error.start), line = before.slice(before.lastIndexOf("\n") + 1);
    const rest = this.shown.text.slice(error.start), width = Math.max(1, Math.min(error.end - error.start, rest.split("\n")[0].length));
    fill(this.error, h("pre", { "aria-hidden": "true" }, `${line}${rest.split("\n")[0]}\n${" ".repeat(line.length)}${"^".repeat(width)}`),
      h("p", {}, error.what), [error.why, error.repair].filter(Boolean).map((part) => h("p", { class: "quiet" }, part)));
  }

  showValues(values) {
    const shape = JSON.stringify(values.map(({ name, shape }) => [name, shape]));
    if (shape !== this.shape) fill(this.values, values.map((value) => this.valueFields(value)));
    this.shape = shape;
    for (const { name, numbers } of values) {
      [...this.values.querySelectorAll(`input[data-name="${name}"]`)].forEach((input, i) => {
        if (document.activeElement !== input) input.value = numbers[i];
      });
    }
  }

  valueFields({ name, shape, numbers }) {
    const columns = shape.at(-1) ?? 1;
    const field = (number, i) => {
      const index = shape.length === 2 ? `[${Math.floor(i / columns)}, ${i % columns}]` : shape.length ? `[${i}]` : "";
      return h("input", { type: "number", step: stepOf(number), value: number, "data-name": name, "aria-label": `${name}${index}`, ...tip("values"), oninput: () => this.setNumber() });
    };
    const grid = h("div", { class: "numbers" }, numbers.map(field));
    grid.style.gridTemplateColumns = `repeat(${shape.length === 2 ? columns : Math.min(columns, 3)}, minmax(4.2em, 6.5em))`;
    return h("div", { class: "value-row" }, h("span", { class: "name" }, name), grid);
  }

  draw() {
    const { width, height, wires, gates } = this.scene;
    const marker = (id) => s("marker", { id, viewBox: "0 0 8 8", refX: 7.2, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0.6,0.8 L7.4,4 L0.6,7.2 L2.2,4 Z" }));
    const ordered = [...wires].sort((a, b) => a.step - b.step);
    this.drawing = s("svg", { viewBox: `0 ${TOP} ${width} ${height - TOP}`, role: "group", "aria-label": `Circuit of ${this.shown.result}: ${gates.length} gates, ${this.scene.steps.length} products` },
      s("defs", {}, marker("arrow"), marker("arrow-now")),
      s("g", { "aria-hidden": "true" }, gates.map((gate) => this.drawGate(gate))),
      ordered.map((wire) => this.drawWire(wire)));
    fill(this.figure, this.drawing);
    fill(this.list, this.scene.steps.map((step, i) => h("li", {}, h("button", { type: "button", class: "plain", onclick: () => this.take(i + 1) }, step.sentence))));
    this.scale();
  }

  drawGate(gate) {
    const centre = gate.x + gate.width / 2;
    const line = (kind, down, words) => s("text", { class: kind, x: centre, y: gate.y + down, "text-anchor": "middle" }, words);
    const gradient = line("gradient", 45, "");
    gate.gradientText = gradient;
    return s("g", { class: `gate ${gate.kind}` }, s("title", {}, [gate.title, gate.fullValue].join(" = ")),
      s("rect", { x: gate.x, y: gate.y, width: gate.width, height: gate.height, rx: 9 }), line("title", 16, gate.title), line("value", 31, gate.value), gradient);
  }

  drawWire(wire) {
    const { gates, steps } = this.scene, ends = `${gates[wire.to].name} to ${gates[wire.from].name}`;
    if (wire.step < 0) return s("g", { class: "wire idle", "aria-hidden": "true" }, s("path", { class: "line", d: wire.path, "marker-end": "url(#arrow)" }));
    const { x, y, width, local, product } = wire.label;
    const select = () => this.take(wire.step + 1);
    return s("g", {
      class: "wire", tabindex: 0, role: "button", "data-step": wire.step, "aria-label": `Product ${wire.step + 1}, from ${ends}: ${steps[wire.step].sentence}`, onclick: select,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(); } },
    },
    s("path", { class: "hit", d: wire.path }), s("path", { class: "line", d: wire.path, "marker-end": "url(#arrow)" }),
    s("g", { class: "label" }, s("rect", { x: x - width / 2 - 3, y: y - 15, width: width + 6, height: 30, rx: 4 }),
      s("text", { class: "local", x, y: y - 3, "text-anchor": "middle" }, local), s("text", { class: "gradient", x, y: y + 10, "text-anchor": "middle" }, product)));
  }

  /** Show the first `count` products. */
  take(count) {
    if (!this.scene) return;
    const { steps, gates } = this.scene;
    this.taken = Math.max(0, Math.min(count, steps.length));
    const received = new Map();
    steps.slice(0, this.taken).forEach((step) => received.set(step.arg, step));
    gates.forEach((gate, i) => {
      const step = received.get(i), last = i === gates.length - 1;
      gate.gradientText.textContent = last && this.taken ? "1" : !step ? "" : step.total + (step.received < step.arriving ? " + …" : "");
    });
    for (const wire of this.drawing.querySelectorAll("[data-step]")) {
      const step = Number(wire.dataset.step), now = step === this.taken - 1;
      wire.classList.toggle("taken", step < this.taken);
      wire.classList.toggle("now", now);
      wire.setAttribute("aria-pressed", String(step < this.taken));
      wire.querySelector(".line").setAttribute("marker-end", now ? "url(#arrow-now)" : "url(#arrow)");
    }
    [...this.list.children].forEach((item, i) => item.classList.toggle("now", i === this.taken - 1));
    if (this.taken) this.look(this.scene.wires[steps[this.taken - 1].wire].label);
    this.sentence.textContent = this.taken ? `${this.taken} of ${steps.length}: ${steps[this.taken - 1].sentence}` : `Values flow to the right. Next takes the first of ${steps.length} products, from ${this.shown.result} backwards: ∂${this.shown.result}/∂${this.shown.result} = 1.`;
    this.back.disabled = this.none.disabled = this.taken === 0;
    this.next.disabled = this.every.disabled = this.taken === steps.length;
    if (!this.shown.error) this.address.setState(new URLSearchParams({ t: this.shown.text, k: this.taken }).toString());
  }

  /** Scroll a label into the middle where it is not to be seen. */
  look({ x, y, width }) {
    const { figure, size } = this, left = (x - width / 2) * size - figure.scrollLeft, top = (y - TOP) * size - figure.scrollTop;
    if (left > 0 && left + width * size < figure.clientWidth && top > 16 && top + 16 < figure.clientHeight) return;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    figure.scrollTo({ left: x * size - figure.clientWidth / 2, top: (y - TOP) * size - figure.clientHeight / 2, behavior });
  }

  /** As wide as there is room, but readable; what is wider is scrolled. */
  scale() {
    if (!this.scene) return;
    const { width, height } = this.scene, room = this.figure.clientWidth;
    const size = (this.size = Math.max(SMALLEST_SCALE, Math.min(LARGEST_SCALE, room / width)));
    this.drawing.setAttribute("width", Math.round(width * size));
    this.drawing.setAttribute("height", Math.round((height - TOP) * size));
  }
}

const bare = (text) => text.replace(/=\s*[-\d.e[\], ]+(?=;|\n|$)/g, "=").replace(/\s/g, ""); // without the numbers of the values

function stepOf(number) {
  const size = Math.abs(number);
  return size >= 1 || size === 0 ? 0.1 : size >= 0.1 ? 0.01 : 0.001;
}
