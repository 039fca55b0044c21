// Heat maps over time: a row for each unit, a column for each character.

import { fill, h } from "../dom.js";
import { Sheet, colours } from "./paint.js";

const LABEL = 16, TALLEST = 150;

/** What is in `values` (steps, units) as a heat map; its texts below. */
export class HeatMap {
  /** title, tip; choose(step, unit) on click, point(step, unit, value) while the pointer is over it */
  constructor(title, tip, { choose, limit = 1 }) {
    Object.assign(this, { choose, limit });
    this.readout = h("span", { class: "quiet readout" });
    this.canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": `${title}: a row for each unit, a column for each character. Up and down choose a unit.` });
    this.element = h("figure", { class: "stack heat", ...tip }, h("figcaption", {}, h("h3", {}, title, " ", this.readout)), this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => fill(this.readout));
    this.canvas.addEventListener("click", (event) => { const at = this.under(event); if (at) choose(at.step, at.unit); });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  show(values, text, unit) {
    Object.assign(this, { values, text, unit });
    this.paint();
  }

  paint() {
    if (!this.values) return;
    const [steps, units] = this.values.shape, theme = colours();
    const width = Math.max(150, this.element.clientWidth), height = Math.min(TALLEST, Math.max(units, Math.floor(TALLEST / units) * units));
    const turned = new Float32Array(units * steps);
    for (let step = 0; step < steps; step++) for (let i = 0; i < units; i++) turned[i * steps + step] = this.values[step * units + i];
    const sheet = new Sheet(this.canvas, width, height + LABEL, theme);
    sheet.heat(turned, 0, steps, units, this.limit, 0, 0, width, height);
    const context = sheet.finish();
    context.strokeStyle = theme.line;
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    const cell = width / steps, row = height / units;
    if (this.unit < units) {
      context.strokeStyle = theme.text;
      context.lineWidth = 1.5;
      context.strokeRect(0.75, this.unit * row - 0.5, width - 1.5, row + 1);
    }
    context.fillStyle = theme.text;
    context.font = `${Math.min(12, Math.max(7, cell * 1.2))}px ui-monospace, monospace`;
    context.textAlign = "center";
    [...this.text].forEach((character, step) => context.fillText(shown(character), (step + 0.5) * cell, height + 12));
    this.layout = { cell, row, height };
  }

  under(event) {
    if (!this.layout) return null;
    const box = this.canvas.getBoundingClientRect(), [steps, units] = this.values.shape;
    const step = Math.floor((event.clientX - box.left) / this.layout.cell), unit = Math.floor((event.clientY - box.top) / this.layout.row);
    return step >= 0 && step < steps && unit >= 0 && unit < units ? { step, unit, value: this.values[step * units + unit] } : null;
  }

  point(event) {
    const at = this.under(event);
    fill(this.readout, at ? `unit ${at.unit} after “${shown([...this.text][at.step])}”: ${at.value.toFixed(2)}` : "");
  }

  key(event) {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!move || !this.values) return;
    event.preventDefault();
    this.choose(-1, Math.min(this.values.shape[1] - 1, Math.max(0, this.unit + move)));
  }
}

/** A character that can be seen. */
export function shown(character) {
  return { " ": "␣", "\n": "⏎", "\t": "⇥" }[character] ?? character;
}
