// Pictures: a LeNet learns digits, clothes or own pictures; what it sees, layer by layer.

import { fill, h } from "../dom.js";
import HELP from "../help/pictures.js";
import { Chart, row } from "../draw/chart.js";
import { TrainingButtons, figure, select, showSettings } from "../lenses/controls.js";
import { Layers } from "../lenses/layers.js";
import { Pad } from "../lenses/pad.js";
import { limitOf, paintPicture } from "../lenses/paint.js";
import { perRedraw, showParts } from "../lenses/parts.js";
import { Matrix, Probabilities, frame, thumbnail } from "../lenses/results.js";
import { tips } from "../tips.js";

const tip = tips("pictures", HELP);
const about = (name, text) => ({ ...tip(name), "data-tip": text }); // the docs of a control, and what this one of many does
const BRIGHT = [248, 153, 51]; // red, green and blue of the pixel that counts most
const SEEN = 210, EVIDENCE = 130, MINIATURE = 34, CAPTIONED = 56;

export function mount(root, connection) {
  const page = new Pictures(connection);
  root.append(page.element);
  const repaint = () => page.repaint();
  document.addEventListener("theme", repaint);
  return {
    close() {
      document.removeEventListener("theme", repaint);
      page.close();
    },
  };
}

class Pictures {
  constructor(connection) {
    this.connection = connection;
    this.settings = null;
    const change = (name, value) => connection.send("configure", (this.settings = { ...this.settings, [name]: value }));
    this.buttons = new TrainingButtons(connection, tip);
    this.fields = this.makeFields(change);
    this.draw = perRedraw((strokes) => connection.send("draw", { strokes }));
    this.pad = new Pad((strokes) => this.draw(strokes));
    this.hover = perRedraw((layer, y, x) => connection.send("hover", { layer, row: y, column: x }));
    this.layers = new Layers({ hover: this.hover, choose: (layer, unit) => connection.send("unit", { layer, unit }) }, tip);
    this.probabilities = new Probabilities((label) => connection.send("explain", { label: label === this.target && this.chosen ? -1 : label }), tip("probabilities"));
    this.matrix = new Matrix(tip("confusion"));
    this.loss = new Chart("Loss", tip("loss"));
    this.accuracy = new Chart("Accuracy", tip("accuracy"));
    this.seen = h("canvas", { role: "img", "aria-label": "the picture as the network sees it", ...tip("picture") });
    this.evidence = h("canvas", { role: "img", "aria-label": "saliency: the pixels that count" });
    this.caption = h("p", { class: "quiet" });
    this.evidenceCaption = h("p", { class: "quiet" });
    this.gallery = h("div", { class: "gallery", role: "group", "aria-label": "test pictures" });
    this.mistakes = h("div", { class: "gallery captioned", role: "group", "aria-label": "mistakes" });
    this.favourites = h("div", { class: "gallery captioned", role: "group", "aria-label": "favourite pictures" });
    this.favouriteTitle = h("h2", tip("favourites"), "Favourite inputs");
    this.ideal = h("div", { class: "row" });
    this.summary = h("p", { class: "quiet" });
    this.note = h("p", { class: "note", hidden: true });
    this.testLine = h("p", { class: "quiet" });
    this.element = this.makePage();
    showParts(connection, {
      status: (values) => this.showStatus(values), data: (values, arrays) => this.showData(values, arrays),
      layers: (values) => this.showLayers(values), picture: (values, arrays) => this.showPicture(values, arrays),
      curve: (values, arrays) => this.showCurve(values, arrays), maps: (_, arrays) => this.showMaps(arrays),
      filters: (_, arrays) => this.layers.updateFilters(arrays), saliency: (values, arrays) => this.showEvidence(values, arrays),
      test: (values, arrays) => this.showTest(values, arrays), favourites: (values, arrays) => this.showFavourites(values, arrays),
      ideal: (values, arrays) => this.showIdeal(values, arrays), field: (values) => this.showField(values),
    });
  }

  makeFields(change) {
    const speeds = [[0, "full"], [100, "100 steps/s"], [20, "20 steps/s"], [4, "4 steps/s"], [1, "1 step/s"]];
    return h("div", { class: "row fields" },
      select("data", "Pictures", tip("data"), [], change),
      figure("filters", "Filters", tip("filters"), { min: 2, max: 32, step: 1 }, change),
      select("optimizer", "Optimizer", tip("optimizer"), [["adam", "Adam"], ["momentum", "SGD, momentum 0.9"], ["sgd", "SGD"]], change),
      figure("rate", "Learning rate", tip("rate"), { min: 1e-6, max: 10, any: true }, change),
      figure("batch", "Batch size", tip("batch"), { min: 1, max: 1024, step: 1 }, change),
      figure("examples", "Training pictures", tip("examples"), { min: 100, max: 20000, step: 1 }, change),
      figure("seed", "Seed", tip("seed"), { min: 0, max: 2147483647, step: 1 }, change),
      select("speed", "Speed", tip("speed"), speeds, (name, value) => change(name, Number(value))));
  }

  makePage() {
    const clear = h("button", { type: "button", ...tip("clear"), onclick: () => this.pad.clear() }, "Clear");
    return h("div", { class: "lenses" },
      h("h1", { class: "visually-hidden" }, "Pictures"),
      h("section", { class: "panel stack controls" }, this.buttons.element, this.fields, this.summary, this.note),
      h("section", { class: "panel stack subject" },
        h("h2", {}, "Draw, or choose a picture"),
        h("div", { class: "pair" }, h("div", tip("pad"), this.pad.canvas, h("div", { class: "row" }, clear, h("span", { class: "quiet" }, "mouse, finger or keys"))),
          h("div", {}, this.seen, this.caption)),
        this.gallery,
        h("h2", tip("probabilities"), "What the network takes it for"), this.probabilities.element,
        h("h2", {}, "What counts: saliency"),
        h("div", { class: "pair" }, h("div", tip("saliency"), this.evidence), this.evidenceCaption)),
      h("section", { class: "panel stack inner" },
        h("h2", tip("layers"), "Inside, layer by layer"),
        h("p", { class: "quiet" }, "Point at a map: the frame on the picture shows what that unit sees. Click it: the pictures that excite it most. ",
          h("i", { class: "key blue" }), " above 0, ", h("i", { class: "key orange" }), " below 0."),
        this.layers.element),
      h("section", { class: "panel stack curves" }, h("h2", {}, "Learning"), this.loss.element, this.accuracy.element),
      h("section", { class: "panel stack" }, this.favouriteTitle, this.favourites, this.ideal),
      h("section", { class: "panel stack" }, h("h2", tip("confusion"), "Right and wrong"), this.testLine, this.matrix.element,
        h("h3", tip("mistakes"), "Worst mistakes"), this.mistakes));
  }

  showStatus({ settings, sources, playing, task, ready }) {
    const input = this.fields.querySelector('[name="data"]');
    const listed = sources.map(({ name, title, problem }) => h("option", { value: name }, problem ? `${title}: ${problem}` : title));
    if (input.options.length !== listed.length) fill(input, listed);
    this.settings = settings;
    showSettings(this.fields, settings);
    this.buttons.show({ playing, ready, task });
  }

  showData(values, { pictures }) {
    this.data = values;
    this.note.textContent = values.note;
    this.note.hidden = !values.note;
    this.pad.pen = Math.max(values.pen, 0.05);
    this.pad.clear(true);
    this.probabilities.show(values.classes);
    this.matrix.show(values.classes);
    fill(this.gallery, values.labels.map((label, index) => thumbnail(pictures, index, values.shape, MINIATURE, "",
      about("gallery", `Test picture ${index}: ${values.classes[label]}`), () => this.choose("test", index))));
  }

  showLayers({ layers, parameters }) {
    this.layers.show(layers, this.data.classes);
    this.listed = layers;
    this.summary.textContent = `${this.data.title}: ${this.data.training.toLocaleString("en")} training and ${this.data.test.toLocaleString("en")} test pictures of ` +
      `${this.data.shape[1]} × ${this.data.shape[2]} pixels, ${this.data.classes.length} classes. The network has ${parameters.toLocaleString("en")} parameters.`;
  }

  choose(role, index) {
    this.pad.clear(true);
    this.connection.send("choose", { role, index });
  }

  showPicture(values, { pixels }) {
    this.picture = { ...values, pixels };
    const { role, index, label } = values;
    this.field = null;
    this.caption.textContent = role === "drawn" ? "your drawing, centred and scaled as the data are" : `${role} picture ${index}: ${this.data.classes[label]}`;
    this.paintSeen();
  }

  paintSeen() {
    if (!this.picture) return;
    const context = paintPicture(this.seen, this.picture.pixels, 0, this.data.shape, SEEN);
    if (this.field) frame(context, this.field, SEEN / this.data.shape[2]);
  }

  showField({ layer, row: y, column, box }) {
    this.field = layer < 0 ? null : box;
    if (this.picture && layer >= 0) this.caption.textContent = `the unit at row ${y}, column ${column} sees ${box[2] - box[0] + 1} × ${box[3] - box[1] + 1} pixels`;
    this.paintSeen();
  }

  showMaps(arrays) {
    this.shares = arrays.probabilities;
    this.layers.update(arrays);
    this.paintShares();
  }

  paintShares() {
    if (this.shares && this.picture) this.probabilities.update(this.shares, this.picture.label, this.target);
  }

  showEvidence({ target, chosen }, { map }) {
    Object.assign(this, { target, chosen, map });
    const [, height, width] = this.data.shape, limit = limitOf(map), shade = (full) => map.map((value) => full * Math.min(1, value / limit));
    const bright = new Uint8Array(3 * map.length);
    BRIGHT.forEach((full, channel) => bright.set(shade(full), channel * map.length));
    paintPicture(this.evidence, bright, 0, [3, height, width], EVIDENCE);
    this.evidenceCaption.textContent = `Bright pixels change the score of “${this.data.classes[target]}” most${chosen ? "" : ", the class that it takes the picture for"}. Click a class above to explain another one.`;
    this.paintShares();
  }

  showCurve({ step, epoch, seconds }, { training, test }) {
    const trained = (index) => ({ x: row(training, 0), y: row(training, index) });
    const tested = (index) => ({ x: row(test, 0), y: row(test, index) });
    this.loss.draw([{ name: "training", colour: "blue", ...trained(1) }, { name: "test", colour: "orange", ...tested(1) }], { low: 0 });
    this.accuracy.draw([{ name: "training", colour: "blue", ...trained(2) }, { name: "test", colour: "orange", ...tested(2) }],
      { low: 0, high: 1, xlabel: `steps: ${step.toLocaleString("en")}, epoch ${epoch + 1}, ${seconds.toFixed(1)} s`, format: (value) => `${(100 * value).toFixed(1)} %` });
  }

  showTest({ step, accuracy, loss, wrong, mistakes }, { counts, pictures }) {
    this.counts = counts;
    this.matrix.update(counts);
    this.testLine.textContent = `After ${step.toLocaleString("en")} steps ${(100 * accuracy).toFixed(1)} % of the test pictures are right, ${wrong} are wrong; loss ${loss.toFixed(3)} nats.`;
    fill(this.mistakes, mistakes.map(({ index, label, predicted, share }, i) => thumbnail(pictures, i, this.data.shape, CAPTIONED,
      `${this.data.classes[label]}, not ${this.data.classes[predicted]}`, about("mistakes", `Taken for ${this.data.classes[predicted]} (${(100 * share).toFixed(0)} %), but it is ${this.data.classes[label]}: show it`),
      () => this.choose("test", index))));
  }

  showFavourites({ layer, unit, indices, activations, boxes, searched }, { pictures }) {
    this.layers.mark(layer, unit);
    const spatial = this.listed[layer].shape.length === 3;
    this.favouriteTitle.textContent = `Favourite inputs of ${spatial ? "map" : "unit"} ${unit}, ${this.listed[layer].text}`;
    fill(this.favourites, indices.map((index, i) => thumbnail(pictures, i, this.data.shape, CAPTIONED, activations[i].toFixed(2),
      about("favourites", `Training picture ${index}: activation ${activations[i].toFixed(2)}, of ${searched} that were searched; show it`), () => this.choose("training", index), spatial ? boxes[i] : null)));
  }

  showIdeal({ made, low, high, activation }, { picture }) {
    const button = h("button", { type: "button", ...tip("ideal"), onclick: () => this.connection.send("ideal") }, "Make its ideal picture");
    if (!made) return fill(this.ideal, button);
    const canvas = h("canvas", { role: "img", "aria-label": "the ideal picture of the unit", ...tip("ideal") });
    paintPicture(canvas, picture, 0, this.data.shape, EVIDENCE);
    fill(this.ideal, canvas, h("div", { class: "stack" }, h("p", { class: "quiet" }, `activation ${activation.toFixed(2)}; pixels from ${low.toFixed(1)} (black) to ${high.toFixed(1)} (white)`), button));
  }

  repaint() {
    this.pad.paint();
    this.layers.paintAll();
    if (this.counts) this.matrix.update(this.counts);
  }

  close() {
    this.layers.close();
    this.loss.close();
    this.accuracy.close();
  }
}
