// The playground: points in the plane, and a network that learns them.

import { Chart } from "../draw/chart.js";
import { MOST_LINES, NetworkView } from "../draw/network.js";
import { copy, fill, h, save } from "../dom.js";
import help from "../help/playground.js";
import { tips } from "../tips.js";
import { MOST_LINK_POINTS, changesOf, changesText, decode, encode, unitOf, unitText } from "./parts/address.js";
import { Controls } from "./parts/controls.js";
import { picture } from "./parts/picture.js";
import { Plane } from "./parts/plane.js";

const tip = tips("playground", help);
const SPEEDS = [[1, "1 epoch/s"], [5, "5 epochs/s"], [30, "30 epochs/s"], [60, "60 epochs/s"], [300, "300 epochs/s"], [0, "fastest"]];
const USUAL_SPEED = "30";
const SLOW = 2e9; // operations of an epoch
const LONGEST_FILE = 4 << 20;

export function mount(root, connection, address) {
  const page = new PlaygroundPage(root, connection, address);
  return { close: () => page.close(), restore: (state) => page.restore(state) };
}

class PlaygroundPage {
  constructor(root, connection, address) {
    Object.assign(this, { root, connection, address, network: null, state: null, seeking: false, selected: null, pointed: null, names: [] });
    this.options = { discrete: false, test: false, log: false, gradients: false };
    this.switches = {}; // the checkbox of each option
    this.linked = null; // the unit that a link selects, once its network is there
    connection.onframe = (frame) => this.receive(frame);
    this.keys = (event) => this.key(event);
    this.redraw = () => this.draw();
    document.addEventListener("keydown", this.keys);
    document.addEventListener("theme", this.redraw);
    this.observer = new ResizeObserver(this.redraw);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    document.removeEventListener("theme", this.redraw);
    this.observer.disconnect();
    this.losses?.close();
  }

  // What the engine sends

  receive({ header, arrays }) {
    const actions = { catalogue: () => this.begin(header, arrays), network: () => this.setNetwork(header, arrays), state: () => this.setState(header, arrays),
      table: () => this.useTable(header), program: () => this.takeProgram(header.text), weights: () => save("weights.safetensors", arrays.file, "application/octet-stream"),
      link: () => this.takeLink(header) };
    actions[header.kind]();
  }

  begin(catalogue, arrays) {
    this.catalogue = catalogue;
    if (!this.controls) this.build();
    if (!this.address.state || (catalogue.resumed && this.isShown(catalogue))) {
      this.controls.show(catalogue.settings);
      this.restoreView(decode(this.address.state, catalogue.defaults).more);
      this.setNetwork(catalogue, arrays);
    } else {
      this.restore(this.address.state);
    }
  }

  /** Whether the engine, which has kept its state, is where the address asks it to be, or has gone on from there. */
  isShown({ settings, defaults, last, changes }) {
    const asked = decode(this.address.state, defaults);
    return JSON.stringify(asked.settings) === JSON.stringify(settings) && last >= (+asked.more.at || 0) && changes >= changesOf(asked.more.changes).length;
  }

  /** Settings from the address, with changes by hand and steps where it has them. */
  restore(text) {
    if (!this.catalogue) return;
    const { settings, more } = decode(text, this.catalogue.defaults);
    this.restoreView(more);
    this.controls.show(settings);
    this.configure({ changes: changesOf(more.changes), steps: +(more.at ?? 0) || 0 });
  }

  /** Preset, speed, switches and the selected unit, as the address has them. */
  restoreView({ preset = "", speed = USUAL_SPEED, view = "", unit = "" }) {
    this.choosePreset(preset);
    this.speed.value = speed;
    if (this.speed.selectedIndex < 0) this.speed.value = USUAL_SPEED;
    const names = view.split(",");
    for (const [name, box] of Object.entries(this.switches)) this.options[name] = box.checked = names.includes(name);
    this.connection.send("show", { gradients: this.options.gradients });
    this.linked = unit;
  }

  /** What the address holds of the view. */
  viewState() {
    const { options, selected, preset, speed } = this;
    return { preset: preset.value, speed: speed.value === USUAL_SPEED ? "" : speed.value, unit: selected && selected.layer ? unitText(selected) : "",
      view: Object.keys(options).filter((name) => options[name]).join(",") };
  }

  setNetwork(header, arrays) {
    this.network = header;
    this.points = arrays.points;
    this.cut = arrays.cut[0];
    this.state = this.arrays = null;
    this.view.configure(header.widths, (unit) => this.nameOf(unit));
    const work = header.operations, lines = header.widths.slice(1).reduce((sum, width, i) => sum + width * header.widths[i], 0);
    fill(this.size, `${header.parameters.toLocaleString("en")} parameters, about ${significant(work / 1e6)} million operations an epoch`, work > SLOW ? ": slow on most machines" : "",
      lines > MOST_LINES ? `; the ${MOST_LINES.toLocaleString("en")} largest weights are drawn` : "");
    this.controls.setClasses(header.widths.at(-1), this.names);
    this.select(unitOf(this.linked, header.widths));
    this.linked = null;
  }

  setState(header, arrays) {
    if (!this.network || header.build !== this.network.build) return;
    this.state = header;
    this.arrays = arrays;
    this.showFigures();
    this.draw();
  }

  // Elements

  build() {
    const { catalogue } = this;
    this.controls = new Controls(catalogue, tip, {
      onchange: () => this.configure(), onrate: (value) => this.connection.send("edit", { change: { value } }), onown: (action) => this.own(action) });
    const canvas = (name, label) => h("canvas", { class: name, role: "img", "aria-label": label });
    this.netCanvas = canvas("network", "The network: units with their maps, and lines for weights");
    this.planeCanvas = h("canvas", { class: "plane", tabindex: "0", role: "img", "aria-label": "The plane: what the network says for each point, and the points", ...tip("boundary") });
    this.losses = new Chart("Losses", tip("curves"), this.toggle("logScale", "log scale", () => {}, "log"));
    this.overlay = h("div", { class: "units", role: "group", "aria-label": "Units of the network" });
    this.view = new NetworkView(this.netCanvas, this.overlay, { onpick: (unit) => this.select(unit), onpoint: (unit) => this.point(unit), online: (line) => this.select({ layer: line.layer + 1, index: line.row }, line.column) });
    this.plane = new Plane(this.planeCanvas, { onpoint: (at) => this.addPoint(at) });
    fill(this.root, h("h1", { class: "visually-hidden" }, "Playground"), this.presetPanel(), this.toolbar(), h("div", { class: "columns" },
      h("section", { class: "panel stack", "aria-label": "Data" }, this.controls.data),
      h("section", { class: "panel stack middle", "aria-label": "Network" }, this.networkPanel()),
      h("section", { class: "panel stack", "aria-label": "Result" }, this.resultPanel())), this.takePanel());
    for (const target of [this.netCanvas, this.planeCanvas]) this.observer.observe(target);
    this.root.addEventListener("dragover", (event) => event.preventDefault());
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) this.readFile(event.dataTransfer.files[0]);
    });
  }

  presetPanel() {
    this.preset = h("select", { ...tip("preset"), onchange: () => this.usePreset() }, h("option", { value: "" }, "your own settings"), this.catalogue.presets.map(({ name, title }) => h("option", { value: name }, title)));
    this.story = h("p", { class: "story", "aria-live": "polite" });
    return h("section", { class: "panel presets", "aria-label": "Presets" }, h("label", {}, "Preset", this.preset), this.story);
  }

  toolbar() {
    const button = (name, label, act, more = {}) => h("button", { type: "button", id: `do-${name}`, onclick: act, ...tip(name), ...more }, label);
    this.playButton = button("play", "Play", () => this.togglePlay(), { class: "primary" });
    this.speed = h("select", { ...tip("speed"), onchange: () => this.changeSpeed() }, SPEEDS.map(([value, label]) => h("option", { value, selected: String(value) === USUAL_SPEED }, label)));
    this.epoch = h("output", { id: "epoch" }, "0");
    this.time = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1, id: "time", "aria-label": "Step that is shown", ...tip("time"), oninput: () => this.seek(+this.time.value) });
    this.timeText = h("output", { id: "time-text", class: "quiet" });
    this.branchButton = button("branch", "Go on from here", () => this.connection.send("branch"));
    this.presentButton = button("present", "Back to the last step", () => this.seek(this.state.last));
    return h("section", { class: "panel toolbar", "aria-label": "Training" },
      h("div", { class: "row" }, button("reset", "Reset", () => this.configure()), this.playButton, button("step", "+1 step", () => this.advance("step")), button("epoch", "+1 epoch", () => this.advance("epoch")),
        h("label", { class: "inline" }, "Speed", this.speed), (this.compiling = h("span", { class: "quiet", role: "status" })), h("span", { class: "grow" }), h("span", { class: "counter" }, "epoch ", this.epoch)),
      h("div", { class: "row time" }, h("span", { class: "quiet" }, "Time"), this.time, this.timeText, this.presentButton, this.branchButton));
  }

  networkPanel() {
    this.size = h("p", { class: "quiet", id: "size" });
    this.units = h("div", { class: "unit-editor", hidden: true });
    this.undoButton = h("button", { type: "button", id: "do-undo", ...tip("undo"), onclick: () => this.connection.send("undo") }, "Undo");
    return [h("div", { class: "row" }, h("h2", { tabindex: "0", ...tip("network") }, "Network"), h("span", { class: "grow" }), this.toggle("gradients", "gradients", () => this.connection.send("show", { gradients: this.options.gradients })), this.undoButton),
      h("div", { class: "network-box" }, this.netCanvas, this.overlay), this.size, this.units, this.controls.network];
  }

  resultPanel() {
    this.figures = h("dl", { class: "figures" });
    this.remarks = h("div", { class: "remarks", "aria-live": "polite" });
    return [h("div", { class: "row" }, h("h2", {}, "Result"), h("span", { class: "grow" }), this.toggle("testData", "test points", () => {}, "test"), this.toggle("discrete", "discrete", () => {})),
      this.planeCanvas, this.controls.legend, this.figures, this.losses.element, this.remarks];
  }

  takePanel() {
    const button = (name, label, act) => h("button", { type: "button", id: `take-${name}`, onclick: act, ...tip(name) }, label);
    const ask = (what, then) => () => {
      this.then = then;
      this.connection.send("take", { what });
    };
    return h("section", { class: "panel row", "aria-label": "Take home" }, h("h2", {}, "Take it home"),
      button("python", "Copy as Python", ask("program", "copy")), button("program", "Save program", ask("program", "save")), button("weights", "Save weights", ask("weights")),
      button("picture", "Save picture", () => this.takePicture()), button("link", "Copy link", ask("link")));
  }

  toggle(name, label, act, option = name) {
    this.switches[option] = h("input", { type: "checkbox", checked: this.options[option], onchange: (event) => {
      this.options[option] = event.target.checked;
      act();
      this.keep();
      this.draw();
    } });
    return h("label", { class: "inline", ...tip(name) }, this.switches[option], label);
  }

  // Steering

  configure(more = {}) {
    const settings = this.controls.read();
    if (settings) this.connection.send("configure", { settings, ...more });
  }

  /** Keep the settings in the address. */
  keep() {
    const { settings } = this.network;
    this.address.setState(encode(settings, this.catalogue.defaults, this.viewState()));
  }

  usePreset() {
    const preset = this.choosePreset(this.preset.value);
    if (!preset) return;
    this.names = [];
    this.speed.value = preset.speed;
    this.controls.show(preset.settings);
    this.configure();
  }

  choosePreset(name) {
    const preset = this.catalogue.presets.find((known) => known.name === name);
    this.preset.value = preset ? name : "";
    fill(this.story, preset?.text ?? "Points in the plane, and a network that learns them: press play. Everything can be changed, and everything has a tooltip.");
    return preset;
  }

  sendPlay(on) {
    this.connection.send("play", { on, speed: +this.speed.value });
  }

  changeSpeed() {
    this.keep();
    if (this.state?.playing) this.sendPlay(true);
  }

  togglePlay() {
    this.sendPlay(!this.state?.playing);
  }

  advance(unit) {
    this.connection.send("advance", { unit });
  }

  seek(step) {
    this.connection.send("seek", { step });
  }

  key(event) {
    const writing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, button, a, summary");
    if (event.key === " " && !writing && this.state) {
      event.preventDefault();
      this.togglePlay();
    }
  }

  // What is shown

  showFigures() {
    const { state } = this, perEpoch = this.network.steps_per_epoch, past = state.step < state.last;
    fill(this.epoch, state.epoch.toLocaleString("en"));
    fill(this.playButton, state.playing ? "Pause" : "Play");
    fill(this.compiling, state.compiling ? "compiling the training …" : "");
    this.playButton.disabled = state.busy;
    this.time.max = state.last;
    if (document.activeElement !== this.time || state.playing || !past) this.time.value = state.step;
    this.time.setAttribute("aria-valuetext", `step ${state.step} of ${state.last}`);
    fill(this.timeText, `step ${state.step.toLocaleString("en")} of ${state.last.toLocaleString("en")}`);
    this.branchButton.hidden = this.presentButton.hidden = !past;
    this.undoButton.disabled = !state.changes;
    const rows = [["training loss", figure(state.loss)], ["test loss", figure(state.test_loss)], state.accuracy !== null && ["training accuracy", percent(state.accuracy)],
      state.test_accuracy !== undefined && state.test_accuracy !== null && ["test accuracy", percent(state.test_accuracy)], ["learning rate", significant(state.rate)],
      state.steps_per_second && ["fastest", `${significant(state.steps_per_second / perEpoch)} epochs/s`]].filter(Boolean);
    fill(this.figures, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { "data-name": name }, value))));
    const text = JSON.stringify(state.remarks);
    if (text !== this.remarkText) fill(this.remarks, state.remarks.map(({ sign, evidence, repair }) => h("p", { class: "remark" }, h("b", {}, sign), `: ${evidence}. ${capitalized(repair)}.`)));
    this.remarkText = text;
    this.showWeights();
  }

  draw() {
    if (!this.state || !this.network) return;
    const { arrays, options } = this, regression = this.network.settings.problem === "regression", side = this.network.map_side, length = side * side;
    const shown = this.pointed === null ? { boundary: arrays.boundary, certainty: arrays.certainty, side: this.network.side } : { map: arrays.maps.subarray(this.pointed * length, (this.pointed + 1) * length), side };
    this.view.draw({ maps: arrays.maps, side, weights: arrays.weights, gradients: options.gradients ? arrays.gradients : null, spread: arrays.spread, selected: this.selected && this.indexOf(this.selected), discrete: options.discrete });
    this.plane.draw(shown, this.points, this.cut, { ...options, regression });
    const epochs = (step) => step / this.network.steps_per_epoch, x = Float64Array.from(arrays.curve_steps, epochs);
    this.losses.draw([{ name: "training", colour: "blue", x, y: arrays.curve_loss }, { name: "test", colour: "orange", dash: "6 3", x, y: arrays.curve_test }],
      { xlabel: "epochs", low: options.log ? undefined : 0, log: options.log, marker: this.state.step < this.state.last ? epochs(this.state.step) : null, none: "no epoch yet" });
  }

  // Units

  indexOf({ layer, index }) {
    return this.network.widths.slice(0, layer).reduce((a, b) => a + b, 0) + index;
  }

  nameOf({ layer, index }) {
    const { widths, settings } = this.network;
    if (layer === 0) return `feature ${settings.features[index]}`;
    if (layer < widths.length - 1) return `layer ${layer}, unit ${index + 1}`;
    return settings.problem === "regression" ? "output" : `output of ${this.names[index] ? `class ${this.names[index]}` : `class ${index}`}`;
  }

  point(unit) {
    this.pointed = unit && this.indexOf(unit);
    this.draw();
  }

  select(unit, column = null) {
    this.selected = unit;
    this.keep();
    this.units.hidden = !unit || unit.layer === 0;
    if (this.units.hidden) return this.draw();
    const { layer, index } = unit, from = this.network.widths[layer - 1];
    const edit = (target) => (event) => {
      const value = +event.target.value;
      if (event.target.value !== "" && Number.isFinite(value)) this.connection.send("edit", { change: { value, layer: layer - 1, row: index, column: target } });
    };
    this.inputs = Array.from({ length: from + 1 }, (_, i) => h("input", { type: "number", step: 0.1, min: -1e6, max: 1e6, ...tip("weight"), onchange: edit(i < from ? i : -1), "data-weight": i < from ? i : "bias" }));
    const label = (i) => (i < from ? `from ${this.nameOf({ layer: layer - 1, index: i })}` : "bias");
    fill(this.units, h("div", { class: "row" }, h("h3", {}, this.nameOf(unit)), h("span", { class: "grow" }), h("button", { type: "button", class: "plain", "aria-label": "Close the weights", onclick: () => this.select(null) }, "×")),
      h("div", { class: "weights" }, this.inputs.map((input, i) => h("label", {}, label(i), input))));
    this.showWeights();
    if (column !== null) this.inputs[column].focus();
    this.draw();
  }

  showWeights() {
    if (this.units.hidden || !this.arrays) return;
    const { widths } = this.network, { layer, index } = this.selected, from = widths[layer - 1];
    let start = 0;
    for (let i = 1; i < layer; i++) start += widths[i - 1] * widths[i] + widths[i];
    this.inputs.forEach((input, i) => {
      if (document.activeElement === input) return;
      input.value = significant(this.arrays.weights[i < from ? start + index * from + i : start + from * widths[layer] + index], 5);
    });
  }

  // Own points

  own(action) {
    const act = { draw: (on) => this.setDrawing(on), clear: () => this.setPoints([]), read: (text, columns) => this.readText(text, columns), file: (file) => this.readFile(file) };
    act[action.what](action.value, action.columns);
  }

  setDrawing(on) {
    this.plane.drawing = on;
    this.planeCanvas.classList.toggle("drawing", on);
    if (on && this.controls.settings.data !== "own") this.waiting = [];
    this.draw();
  }

  addPoint(at) {
    const settings = this.controls.settings, before = this.waiting ?? settings.points;
    if (before.length >= this.catalogue.limits.points) return this.address.notify(`there are ${before.length} points, the most`);
    const points = [...before, [...at, this.controls.target()]];
    this.waiting = points;
    this.setPoints(points);
  }

  /** Own points are used when there are enough, of two classes; until then they are only drawn. */
  setPoints(points) {
    const regression = this.controls.settings.problem === "regression";
    if (points.length < 4 || (!regression && new Set(points.map((point) => point[2])).size < 2)) {
      this.points = Float32Array.from(points.flat());
      this.cut = points.length;
      this.waiting = points;
      this.address.notify("at least 4 points, of two classes, make a data set");
      return this.draw();
    }
    this.controls.show({ ...this.controls.settings, data: "own", points });
    this.choosePreset("");
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.configure(), 150);
  }

  readText(text, columns = []) {
    if (text.length > LONGEST_FILE - 1000) return this.address.notify("the table is larger than 4 MB, the limit: leave rows out");
    this.connection.send("read", { text, columns });
  }

  async readFile(file) {
    if (file.size > LONGEST_FILE - 1000) return this.address.notify(`${file.name} has ${Math.round(file.size / 1e6)} MB, more than 4 MB: leave rows out`);
    this.readText(await file.text());
  }

  useTable({ problem, names, columns, choice, remarks, points }) {
    this.names = names;
    this.waiting = null;
    this.controls.showTable(columns, choice, remarks);
    this.controls.show({ ...this.controls.settings, problem, data: "own", points });
    this.choosePreset("");
    this.configure();
  }

  // Take home

  async takeProgram(text) {
    if (this.then === "save") return save("playground.py", text, "text/x-python");
    this.address.notify((await copy(text)) ? "the program is in the clipboard" : "the clipboard is closed to this page: save the program instead");
  }

  async takeLink({ changes, steps }) {
    const { settings } = this.network;
    const state = encode(settings, this.catalogue.defaults, { ...this.viewState(), changes: changesText(changes), at: steps || "" });
    this.address.setState(state);
    const left = settings.points.length > MOST_LINK_POINTS ? `, without the points, as there are more than ${MOST_LINK_POINTS}` : "";
    this.address.notify((await copy(this.address.link())) ? `the link is in the clipboard${left}` : `the link is in the address bar${left}`);
  }

  takePicture() {
    const { arrays, state, options } = this, regression = this.network.settings.problem === "regression";
    const plane = { boundary: arrays.boundary, certainty: arrays.certainty, side: this.network.side };
    const caption = `step ${state.step}, training loss ${figure(state.loss)}, test loss ${figure(state.test_loss)}`;
    save("playground.svg", picture(this.view, { maps: arrays.maps, side: this.network.map_side }, plane, this.points, this.cut, { ...options, regression }, caption), "image/svg+xml");
  }
}

const capitalized = (text) => text[0].toUpperCase() + text.slice(1);
const significant = (value, digits = 3) => String(+Number(value).toPrecision(digits));
const figure = (value) => (value === null ? "–" : value < 1e-3 && value > 0 ? value.toExponential(1) : value.toFixed(4));
const percent = (value) => `${(100 * value).toFixed(1)} %`;
