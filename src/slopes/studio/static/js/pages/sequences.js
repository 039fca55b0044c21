// Sequences: a network learns to write a text; its state, gates, gradients and attention over time.

import { fill, h, s } from "../dom.js";
import HELP from "../help/sequences.js";
import { Chart, row } from "../draw/chart.js";
import { TrainingButtons, check, figure, select, showSettings } from "../lenses/controls.js";
import { HeatMap, shown } from "../lenses/heat.js";
import { Sheet, colourOf, colours } from "../lenses/paint.js";
import { showParts } from "../lenses/parts.js";
import { drawUnrolled, stepsFor } from "../lenses/unrolled.js";
import { tips } from "../tips.js";

const tip = tips("sequences", HELP);
const NAMES = { rnn: "plain RNN", gru: "GRU", lstm: "LSTM", transformer: "transformer" };
const LINES = { rnn: ["orange"], gru: ["blue", "2 3"], lstm: ["blue"], transformer: ["text"] };
const TITLES = {
  h: "Hidden state h", c: "Cell c", i: "Input gate i", f: "Forget gate f", g: "Candidate g", o: "Output gate o", r: "Reset gate r", z: "Update gate z", n: "Candidate n",
};
const TYPED = 6; // characters shown at each redraw

export function mount(root, connection) {
  const page = new Sequences(connection);
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

class Sequences {
  constructor(connection) {
    this.connection = connection;
    this.maps = {};
    this.first = 0;
    const change = (name, value) => connection.send("configure", (this.settings = { ...this.settings, [name]: value }));
    this.buttons = new TrainingButtons(connection, tip);
    this.fields = this.makeFields(change);
    this.loss = new Chart("Loss", tip("loss"));
    this.flow = new Chart("Gradients through time", tip("gradients"));
    this.compare = check("compare", "Let a plain RNN, a GRU and an LSTM learn side by side", tip("compare"), change);
    this.summary = h("p", { class: "quiet" });
    this.note = h("p", { class: "note", hidden: true });
    this.prompt = h("input", { type: "text", maxlength: 200, value: "ROMEO:" });
    this.heat = h("input", { type: "range", min: 0.1, max: 2, step: 0.1, value: 0.8, oninput: () => (this.heatShown.textContent = this.heat.value) });
    this.heatShown = h("span", {}, "0.8"); // no output, which would take the label from the slider
    this.sample = h("pre", { class: "sample", tabindex: 0, "aria-label": "what the network wrote last", ...tip("sample") });
    this.earlier = h("div", { class: "stack" });
    this.pasted = h("textarea", { rows: 5, maxlength: 200000, placeholder: "Paste a text: 200 to 200,000 characters" });
    this.text = h("input", { type: "text", maxlength: 96, value: "ROMEO: The night is long and cold.", onchange: () => connection.send("read", { text: this.text.value }) });
    this.strip = h("div", { class: "strip", tabindex: 0, role: "group", "aria-label": "the text, each character with how likely the network thought it", ...tip("strip") });
    this.expected = h("p", { class: "quiet" });
    this.readNote = h("p", { class: "note", role: "status", hidden: true });
    this.heats = h("div", { class: "heats" });
    this.unrolled = s("svg", { class: "unrolled", role: "img" });
    this.start = h("input", { type: "range", min: 0, max: 30, value: 0, oninput: () => { this.first = Number(this.start.value); this.drawUnrolled(); } });
    this.unitField = figure("unit", "Unit", tip("unit"), { min: 0, max: 255, step: 1 }, (_, unit) => connection.send("unit", { unit }));
    this.attention = h("div", { class: "attention" });
    this.element = this.makePage();
    showParts(connection, {
      status: (values) => this.showStatus(values), corpus: (values) => this.showCorpus(values), curve: (values, arrays) => this.showCurve(values, arrays),
      reading: (values, arrays) => this.showReading(values, arrays), graph: (values, arrays) => this.showGraph(values, arrays),
      gradients: (values, arrays) => this.showGradients(values, arrays), writing: (values) => this.showWriting(values),
    });
  }

  makeFields(change) {
    const texts = [["shakespeare", "Tiny Shakespeare"], ["built-in", "A short text"], ["pasted", "Pasted text"]];
    const speeds = [[0, "full"], [50, "50 steps/s"], [10, "10 steps/s"], [2, "2 steps/s"]];
    return h("div", { class: "row fields" },
      select("network", "Network", tip("network"), Object.entries(NAMES), change),
      select("source", "Text", tip("source"), texts, change),
      figure("hidden", "Units", tip("hidden"), { min: 4, max: 256, step: 1 }, change),
      figure("context", "Context", tip("context"), { min: 8, max: 128, step: 1 }, change),
      figure("batch", "Batch size", tip("batch"), { min: 1, max: 256, step: 1 }, change),
      figure("rate", "Learning rate", tip("rate"), { min: 1e-6, max: 1, any: true }, change),
      figure("forget", "Forget bias", tip("forget"), { min: -4, max: 4, any: true }, change),
      figure("seed", "Seed", tip("seed"), { min: 0, max: 2147483647, step: 1 }, change),
      select("speed", "Speed", tip("speed"), speeds, (name, value) => change(name, Number(value))));
  }

  makePage() {
    const write = () => this.connection.send("write", { prompt: this.prompt.value, temperature: Number(this.heat.value) });
    this.heat.addEventListener("change", write);
    this.recurrentPanels = [
      h("section", { class: "panel stack wide" }, h("h2", tip("unrolled"), "Unrolled in time"),
        h("div", { class: "row" }, this.unitField, h("label", tip("from"), "Steps from", this.start), h("p", { class: "quiet grow" }, "One unit of the state, from character to character: circles hold values, lines what adds up; ", h("i", { class: "key blue" }), " above 0, ", h("i", { class: "key orange" }), " below.")),
        h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "the unrolled network", ...tip("unrolled") }, this.unrolled)),
    ];
    this.attentionPanel = h("section", { class: "panel stack wide" }, h("h2", tip("attention"), "Attention"),
      h("p", { class: "quiet" }, "A map for each head of each layer. A row is a character that reads, a column one that it looks at: the bluer, the more. What comes later is hidden."), this.attention);
    this.flowPanel = h("section", { class: "panel stack wide" }, h("h2", {}, "With and without gates"), this.compare, this.flow.element,
      h("p", { class: "quiet" }, "A line that falls to the left is a vanishing gradient: the network cannot learn what that far back has to do with the end."));
    return h("div", { class: "lenses" },
      h("h1", { class: "visually-hidden" }, "Sequences"),
      h("section", { class: "panel stack controls" }, this.buttons.element, this.fields, this.summary, this.note),
      h("section", { class: "panel stack" }, h("h2", {}, "Writing"),
        h("div", { class: "row" }, h("label", { class: "grow", ...tip("prompt") }, "Prompt", this.prompt),
          h("label", tip("temperature"), h("span", {}, "Temperature ", this.heatShown), this.heat),
          h("button", { type: "button", ...tip("write"), onclick: write }, "Write")),
        this.sample, h("details", {}, h("summary", tip("earlier"), "Earlier samples"), this.earlier)),
      h("section", { class: "panel stack" }, h("h2", {}, "Learning"), this.loss.element,
        h("details", {}, h("summary", tip("paste"), "Learn a text of your own"), h("div", { class: "stack" }, h("label", tip("paste"), "Text of your own", this.pasted),
          h("button", { type: "button", ...tip("paste"), onclick: () => this.connection.send("paste", { text: this.pasted.value }) }, "Learn this text")))),
      h("section", { class: "panel stack wide" }, h("h2", {}, "Reading"),
        h("label", tip("read"), "Text to read, up to 96 characters", this.text),
        this.readNote, this.strip, this.expected, this.heats),
      this.recurrentPanels, this.attentionPanel, this.flowPanel);
  }

  showStatus({ settings, playing, task, ready, prompt, temperature }) {
    this.settings = settings;
    showSettings(this.element, settings);
    if (document.activeElement !== this.prompt) this.prompt.value = prompt;
    if (document.activeElement !== this.heat) this.heat.value = this.heatShown.textContent = temperature;
    this.buttons.show({ playing, ready, task });
  }

  showCorpus(values) {
    this.corpus = values;
    const recurrent = values.network !== "transformer";
    this.summary.textContent = `${values.title}: ${values.length.toLocaleString("en")} characters, ${values.characters} different ones. The ${NAMES[values.network]} has ${values.parameters.toLocaleString("en")} parameters.`;
    this.note.textContent = values.note;
    this.note.hidden = !values.note;
    for (const panel of this.recurrentPanels) panel.hidden = !recurrent;
    this.attentionPanel.hidden = recurrent;
  }

  showCurve({ step, epoch, kinds }, arrays) {
    const lines = kinds.map((kind) => ({ name: NAMES[kind], colour: LINES[kind][0], dash: LINES[kind][1], x: row(arrays[kind], 0), y: row(arrays[kind], 1) }));
    lines.push({ name: "validation text", colour: "quiet", x: row(arrays.test, 0), y: row(arrays.test, 1) });
    const marks = [{ y: this.corpus.chance, text: "guessing" }, { y: this.corpus.frequencies, text: "frequencies alone" }];
    this.loss.draw(lines, { marks, xlabel: `steps: ${step.toLocaleString("en")}, epoch ${epoch + 1}`, format: (value) => `${value.toFixed(3)} nats` });
  }

  showReading(values, arrays) {
    this.reading = { ...values, arrays };
    this.readNote.textContent = values.note;
    this.readNote.hidden = !values.note;
    this.showStrip();
    const names = [...values.states.map((name) => [name, arrays[name]]), ...values.gates.filter((name) => !(name === "n" && values.gates.length === 1)).map((name) => [name, arrays[`gate_${name}`]])];
    if (Object.keys(this.maps).join() !== names.map(([name]) => name).join()) this.makeMaps(names.map(([name]) => name));
    for (const [name, array] of names) this.maps[name].show(array, values.text, this.unit ?? 0);
    if (values.layers) this.drawAttention();
    this.start.max = Math.max(0, [...values.text].length - 2);
    this.drawUnrolled();
  }

  makeMaps(names) {
    for (const map of Object.values(this.maps)) map.close();
    this.maps = {};
    for (const name of names) {
      this.maps[name] = new HeatMap(TITLES[name], tip(name), { limit: name === "c" ? 2 : 1, choose: (step, unit) => this.chooseUnit(step, unit) });
    }
    fill(this.heats, Object.values(this.maps).map((map) => map.element));
  }

  chooseUnit(step, unit) {
    if (step >= 0) this.start.value = this.first = Math.max(0, step - 1);
    this.connection.send("unit", { unit });
  }

  showStrip() {
    const { text, arrays } = this.reading, theme = colours();
    fill(this.strip, [...text].map((character, step) => {
      const share = step ? arrays.right[step - 1] : 1;
      const box = h("span", { onpointerenter: () => this.showExpected((this.asked = step)) }, shown(character));
      if (step) box.style.backgroundColor = `rgb(${colourOf(share - 0.5, 0.5, theme).map(Math.round).join(" ")} / .55)`;
      return box;
    }));
    this.showExpected(Math.min(this.asked ?? Infinity, [...text].length - 1));
  }

  showExpected(step) {
    const { text, expected, arrays } = this.reading, top = arrays.shares.shape[1];
    const guesses = [...expected[step]].map((character, i) => `${shown(character)} ${(100 * arrays.shares[step * top + i]).toFixed(0)} %`);
    this.expected.textContent = `Blue characters were expected, orange ones were not. After “${[...text].slice(0, step + 1).map(shown).slice(-12).join("")}” the network expects ${guesses.join(", ")}`;
  }

  showGraph({ unit }, arrays) {
    this.unit = unit;
    this.contributions = arrays;
    const input = this.unitField.querySelector("input");
    if (unit >= 0 && document.activeElement !== input) input.value = input.dataset.value = unit;
    for (const map of Object.values(this.maps)) { map.unit = unit; map.paint(); }
    this.drawUnrolled();
  }

  drawUnrolled() {
    if (!this.reading || !this.contributions?.from_input || !this.reading.states.length) return;
    const { states, gates, arrays, text, expected } = this.reading, kind = gates.length === 4 ? "lstm" : gates.length === 3 ? "gru" : "rnn";
    if (this.contributions.from_input.shape[0] !== [...text].length || this.contributions.from_input.shape[1] !== gates.length) return;
    const pick = (names, prefix) => Object.fromEntries(names.map((name) => [name, arrays[prefix + name]]));
    const first = Math.min(this.first, Math.max(0, [...text].length - 2));
    drawUnrolled(this.unrolled, { kind, text, expected, shares: arrays.shares, states: pick(states, ""), gates: pick(gates, "gate_"), fromInput: this.contributions.from_input, fromState: this.contributions.from_state, unit: this.unit }, first, stepsFor(this.unrolled.parentElement.clientWidth));
  }

  drawAttention() {
    const { layers, arrays, text } = this.reading, theme = colours(), characters = [...text];
    const rows = [];
    for (let layer = 0; layer < layers; layer++) {
      const maps = arrays[`attention${layer}`], [heads, length] = maps.shape;
      for (let head = 0; head < heads; head++) rows.push({ layer, head, maps, length });
    }
    if (this.attention.children.length !== rows.length) fill(this.attention, rows.map(({ layer, head }) => h("figure", { class: "stack", ...tip("attention") }, h("figcaption", { class: "quiet" }, `layer ${layer + 1}, head ${head + 1} `, h("span", { class: "readout" })), h("canvas", { role: "img", "aria-label": `attention of layer ${layer + 1}, head ${head + 1}` }))));
    rows.forEach(({ head, maps, length }, index) => {
      const figureElement = this.attention.children[index], canvas = figureElement.querySelector("canvas"), readout = figureElement.querySelector(".readout");
      const side = Math.max(120, figureElement.clientWidth - 14), cell = side / length, sheet = new Sheet(canvas, side + 14, side + 14, theme);
      sheet.heat(maps, head * length * length, length, length, 1, 14, 0, side, side);
      const context = sheet.finish();
      context.strokeStyle = theme.line;
      context.strokeRect(14.5, 0.5, side - 1, side - 1);
      context.fillStyle = theme.text;
      context.font = `${Math.min(11, Math.max(6, cell * 1.1))}px ui-monospace, monospace`;
      context.textAlign = "center";
      characters.forEach((character, i) => {
        context.fillText(shown(character), 14 + (i + 0.5) * cell, side + 11);
        context.fillText(shown(character), 6, (i + 0.7) * cell);
      });
      canvas.onpointermove = (event) => {
        const box = canvas.getBoundingClientRect(), to = Math.floor((event.clientX - box.left - 14) / cell), from = Math.floor((event.clientY - box.top) / cell);
        if (to < 0 || from < 0 || to >= length || from >= length) return fill(readout);
        fill(readout, `“${shown(characters[from])}” looks at “${shown(characters[to])}”: ${(100 * maps[(head * length + from) * length + to]).toFixed(0)} %`);
      };
      canvas.onpointerleave = () => fill(readout);
    });
  }

  showGradients({ kinds }, arrays) {
    this.flowPanel.hidden = !kinds.length;
    const lines = kinds.map((kind) => {
      const norms = arrays[`${kind}_h`];
      return { name: NAMES[kind], colour: LINES[kind][0], dash: LINES[kind][1], x: Array.from(norms, (_, i) => i - norms.length + 1), y: norms };
    });
    this.flow.draw(lines, { log: true, xlabel: "characters before the last one", format: () => "" });
  }

  showWriting({ samples }) {
    const last = samples[samples.length - 1];
    if (!last) return;
    const title = (sample) => `after ${sample.step.toLocaleString("en")} step${sample.step === 1 ? "" : "s"}, temperature ${sample.temperature.toFixed(1)}`;
    fill(this.earlier, samples.slice(0, -1).reverse().map((sample) => h("figure", {}, h("figcaption", { class: "quiet" }, title(sample)), h("pre", { class: "sample" }, h("b", {}, sample.prompt), sample.text))));
    const text = document.createTextNode("");
    fill(this.sample, h("span", { class: "quiet" }, `${title(last)}\n`), h("b", {}, last.prompt), text);
    const characters = [...last.text], still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let typed = still ? characters.length : 0;
    const type = () => {
      typed = Math.min(characters.length, typed + TYPED);
      text.data = characters.slice(0, typed).join("");
      if (typed < characters.length && text.isConnected) requestAnimationFrame(type);
    };
    type();
  }

  repaint() {
    for (const map of Object.values(this.maps)) map.paint();
    if (!this.reading) return;
    this.showStrip();
    if (this.reading.layers) this.drawAttention();
    this.drawUnrolled();
  }

  close() {
    this.loss.close();
    this.flow.close();
    for (const map of Object.values(this.maps)) map.close();
  }
}
