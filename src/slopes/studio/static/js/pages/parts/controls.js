// The controls of the playground: settings as elements, and back.

import { CLASSES } from "../../draw/colour.js";
import { fill, h } from "../../dom.js";

export class Controls {
  /** events: onchange() after any setting, onrate(value), onown({ what, value, columns }). */
  constructor(catalogue, tip, events) {
    Object.assign(this, { catalogue, tip, events, inputs: {}, settings: structuredClone(catalogue.defaults) });
    this.data = this.dataControls();
    this.network = this.networkControls();
    this.legend = h("div", { class: "row legend" });
  }

  // Making them

  field(name, label, input, id = name) {
    this.inputs[name] = input;
    input.id = `set-${id}`;
    return h("label", { ...this.tip(tipName(name)) }, label, input);
  }

  select(name, label, options, act) {
    return this.field(name, label, h("select", { onchange: (event) => act?.(event.target.value) ?? this.set(name, event.target.value) }, options.map((option) => h("option", { value: option }, option))));
  }

  slider(name, label, min, max, step, unit = "") {
    const text = h("span", {}); // no output, which would take the label from the slider
    const input = h("input", { type: "range", min, max, step, oninput: () => fill(text, `${input.value}${unit}`), onchange: () => this.set(name, +input.value) });
    input.showValue = () => fill(text, `${input.value}${unit}`);
    this.inputs[name] = input;
    input.id = `set-${name}`;
    return h("label", { class: "slider", ...this.tip(tipName(name)) }, h("span", {}, label, " ", text), input);
  }

  number(name, label, min, max, step = "any") {
    return this.field(name, label, h("input", { type: "number", min, max, step, onchange: (event) => this.setNumber(name, event.target, min, max) }));
  }

  setNumber(name, input, min, max) {
    const value = +input.value;
    if (input.value === "" || !Number.isFinite(value) || value < min || value > max) {
      input.value = this.settings[name];
      return;
    }
    if (name === "rate") {
      this.settings.rate = value;
      this.events.onrate(value);
    } else this.set(name, value);
  }

  set(name, value) {
    this.settings[name] = value;
    this.events.onchange();
  }

  dataControls() {
    const { limits, choices } = this.catalogue;
    this.features = h("fieldset", { class: "features", ...this.tip("features") }, h("legend", {}, "Features"), choices.features.map((name) => h("label", { class: "inline" }, h("input", { type: "checkbox", value: name, onchange: () => this.setFeatures() }), name)));
    return [h("h2", {}, "Data"), this.select("problem", "Problem", ["classification", "regression"], (value) => this.setProblem(value)), this.select("data", "Data set", [], (value) => this.setData(value)),
      this.slider("classes", "Classes", 2, limits.classes, 1), this.slider("count", "Points", 20, 2000, 10), this.slider("noise", "Noise", 0, 50, 1, " %"), this.slider("ratio", "For training", 10, 90, 5, " %"), this.slider("batch", "Batch size", 1, 100, 1),
      this.number("data_seed", "Seed of the points", 0, 2 ** 31 - 1, 1), this.features, this.ownControls()];
  }

  ownControls() {
    this.class = h("select", { "aria-label": "Class of the points that are drawn" }, Array.from({ length: this.catalogue.limits.classes }, (_, i) => h("option", { value: i }, `class ${i}`)));
    this.figure = h("input", { type: "number", min: -1, max: 1, step: 0.1, value: 1, "aria-label": "Figure of the points that are drawn", hidden: true });
    const text = h("textarea", { class: "code", rows: 4, placeholder: "x1,x2,class\n1.5,-2,red\n...", "aria-label": "A table as CSV", spellcheck: "false", id: "csv" });
    const file = h("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", "aria-label": "A CSV file", onchange: () => file.files.length && this.events.onown({ what: "file", value: file.files[0] }) });
    this.tableNote = h("div", { class: "stack" });
    this.csv = text;
    return h("details", { class: "own" }, h("summary", { ...this.tip("own") }, "Own points"), h("div", { class: "stack" },
      h("div", { class: "row" }, h("label", { class: "inline", ...this.tip("draw") }, h("input", { type: "checkbox", id: "draw", onchange: (event) => this.events.onown({ what: "draw", value: event.target.checked }) }), "draw"), this.class, this.figure,
        h("button", { type: "button", ...this.tip("clear"), onclick: () => this.events.onown({ what: "clear" }) }, "Clear")),
      h("label", { ...this.tip("paste") }, "Paste a table, or drop a file", text), h("div", { class: "row" }, h("button", { type: "button", id: "use-table", ...this.tip("table"), onclick: () => this.events.onown({ what: "read", value: text.value }) }, "Use the table"), file), this.tableNote));
  }

  networkControls() {
    const { choices } = this.catalogue;
    this.layers = h("div", { class: "layers stack" });
    const add = h("button", { type: "button", id: "add-layer", ...this.tip("layers"), onclick: () => this.addLayer() }, "+ hidden layer");
    return [h("div", { class: "row" }, h("h3", {}, "Hidden layers"), add), this.layers, h("div", { class: "grid" },
      this.select("optimizer", "Optimizer", choices.optimizer), this.number("rate", "Learning rate", 1e-6, 1000), this.select("schedule", "Schedule", choices.schedule), this.number("epochs", "Epochs of the schedule", 1, 100000, 1),
      this.select("penalty", "Regularization", choices.penalty), this.number("strength", "Strength", 0, 100), this.number("initial", "Initial values ×", 0, 100), this.number("seed", "Seed", 0, 2 ** 31 - 1, 1))];
  }

  layerRow(layer, i) {
    const set = (name, read) => (event) => {
      this.settings.layers = this.settings.layers.map((other, j) => (j === i ? { ...other, [name]: read(event.target) } : other));
      this.events.onchange();
    };
    const width = (target) => Math.max(1, Math.min(this.catalogue.limits.units, Math.round(+target.value) || layer.width));
    const share = (target) => Math.max(0, Math.min(0.95, +target.value || 0));
    return h("div", { class: "layer row", role: "group", "aria-label": `Hidden layer ${i + 1}` },
      h("label", this.tip("width"), `Units ${i + 1}`, h("input", { type: "number", min: 1, max: this.catalogue.limits.units, value: layer.width, onchange: set("width", width) })),
      h("label", this.tip("activation"), "Activation", h("select", { onchange: set("activation", (target) => target.value) }, this.catalogue.choices.activation.map((name) => h("option", { value: name, selected: name === layer.activation }, name)))),
      h("label", this.tip("dropout"), "Dropout", h("input", { type: "number", min: 0, max: 0.95, step: 0.05, value: layer.dropout, onchange: set("dropout", share) })),
      h("label", { class: "inline", ...this.tip("batchNorm") }, h("input", { type: "checkbox", checked: layer.batch_norm, onchange: set("batch_norm", (target) => target.checked) }), "batch norm"),
      h("button", { type: "button", class: "plain", "aria-label": `Remove hidden layer ${i + 1}`, onclick: () => this.set("layers", this.settings.layers.filter((_, j) => j !== i)) }, "×"));
  }

  addLayer() {
    if (this.settings.layers.length < this.catalogue.limits.layers) this.set("layers", [...this.settings.layers, { ...(this.settings.layers.at(-1) ?? { width: 4, activation: "tanh", batch_norm: false, dropout: 0 }) }]);
  }

  // Values

  setProblem(problem) {
    const sets = Object.keys(this.catalogue.data[problem]);
    Object.assign(this.settings, { problem, data: sets[0] });
    this.show(this.settings);
    this.events.onchange();
    return true;
  }

  setData(data) {
    this.settings.data = data;
    this.show(this.settings);
    this.events.onchange();
    return true;
  }

  setFeatures() {
    const chosen = [...this.features.querySelectorAll("input:checked")].map((input) => input.value);
    if (chosen.length) this.set("features", chosen);
    else this.show(this.settings);
  }

  /** Show settings in the elements. */
  show(settings) {
    this.settings = structuredClone(settings);
    const sets = this.catalogue.data[settings.problem], own = settings.points.length || settings.data === "own" ? ["own"] : [];
    fill(this.inputs.data, [...Object.keys(sets), ...own].map((name) => h("option", { value: name, title: sets[name] ?? "" }, name)));
    for (const [name, input] of Object.entries(this.inputs)) {
      input.value = settings[name];
      input.showValue?.();
    }
    for (const input of this.features.querySelectorAll("input")) input.checked = settings.features.includes(input.value);
    fill(this.layers, settings.layers.map((layer, i) => this.layerRow(layer, i)), settings.layers.length ? null : h("p", { class: "quiet" }, "none: the outputs are computed from the features at once"));
    const closest = (name) => this.inputs[name].closest("label");
    closest("classes").hidden = !this.catalogue.several.includes(settings.data);
    for (const name of ["count", "noise"]) closest(name).hidden = settings.data === "own";
    closest("epochs").hidden = settings.schedule === "constant" || settings.schedule === "plateau";
    closest("strength").hidden = settings.penalty === "none";
    this.class.hidden = settings.problem === "regression";
    this.figure.hidden = !this.class.hidden;
  }

  read() {
    return { ...this.settings, points: this.settings.data === "own" ? this.settings.points : [] };
  }

  /** The class or figure of a point that is drawn. */
  target() {
    return this.settings.problem === "regression" ? +this.figure.value || 0 : +this.class.value;
  }

  setClasses(outputs, names) {
    const regression = this.settings.problem === "regression";
    fill(this.legend, regression ? h("span", { class: "quiet" }, "orange −1, blue +1") : Array.from({ length: outputs }, (_, i) => h("span", { class: "key" }, h("span", { class: "dot", style: { background: CLASSES[i % CLASSES.length] } }), names[i] ?? `class ${i}`)));
  }

  /** The columns that a table was read by, with a choice of others. */
  showTable(columns, choice, remarks) {
    const pick = () => this.events.onown({ what: "read", value: this.csv.value, columns: selects.map((select) => select.value) });
    const selects = columns.map((column) => h("select", { onchange: pick }, choice.map((name) => h("option", { value: name, selected: name === column }, name))));
    fill(this.tableNote, h("div", { class: "row" }, selects.map((select, i) => h("label", {}, ["x1", "x2", "target"][i], select))), remarks.map((text) => h("p", { class: "quiet" }, text)));
  }
}

const tipName = (name) => ({ data_seed: "dataSeed" })[name] ?? name;
