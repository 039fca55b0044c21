// A network of units: a map on each, and lines whose width and colour are their weights.

import { h } from "../dom.js";
import { blend, css } from "./colour.js";
import { drawPlane, fit } from "./heatmap.js";

export const MOST_LINES = 4000; // of many weights, the largest are drawn
const MARGIN = 26;

/**
 * Draws into `canvas`, and keeps a button for each unit in `overlay`, so that units are reached by keyboard and read aloud.
 * onpick(unit), onpoint(unit or null): a unit is { layer, index } with layer 0 for features; online({ layer, row, column }) for a weight.
 */
export class NetworkView {
  constructor(canvas, overlay, { onpick, onpoint, online }) {
    Object.assign(this, { canvas, overlay, onpick, onpoint, online, widths: [], buttons: [] });
    canvas.addEventListener("click", (event) => {
      const line = this.lineAt(event.offsetX, event.offsetY);
      if (line) online(line);
    });
    canvas.addEventListener("pointermove", (event) => (canvas.style.cursor = this.lineAt(event.offsetX, event.offsetY) ? "pointer" : ""));
  }

  /** Another network: widths of features, hidden layers and outputs, and the names of its units. */
  configure(widths, nameOf) {
    this.widths = widths;
    this.offsets = [0];
    for (const width of widths) this.offsets.push(this.offsets.at(-1) + width);
    this.buttons = widths.flatMap((width, layer) => Array.from({ length: width }, (_, index) => {
      const unit = { layer, index }, name = nameOf(unit);
      return h("button", { type: "button", class: "unit", "aria-label": name, title: name, onclick: () => this.onpick(unit), onfocus: () => this.onpoint(unit),
        onblur: () => this.onpoint(null), onpointerenter: () => this.onpoint(unit), onpointerleave: () => this.onpoint(null) });
    }));
    this.overlay.replaceChildren(...this.buttons);
    this.layout();
  }

  /** Where each unit is: `size` is the side of its map. */
  layout() {
    const { clientWidth: width, clientHeight: height } = this.canvas, columns = this.widths.length;
    const most = Math.max(...this.widths), gap = (width - 2 * MARGIN) / Math.max(1, columns - 1);
    this.size = Math.max(3, Math.min(40, gap * 0.55, ((height - 16) / most) * 0.82));
    this.units = this.widths.flatMap((count, layer) => Array.from({ length: count }, (_, index) => ({
      x: columns === 1 ? width / 2 : MARGIN + layer * gap,
      y: 8 + ((height - 16) * (index + 0.5 + (most - count) / 2 * Math.min(1, 1))) / most,
    })));
    this.units.forEach(({ x, y }, i) => Object.assign(this.buttons[i].style, {
      left: `${x - this.size / 2}px`, top: `${y - this.size / 2}px`, width: `${this.size}px`, height: `${this.size}px` }));
    this.laidOut = `${width}x${height}`;
  }

  /** state: { maps, side, weights, gradients, spread, selected, discrete }. */
  draw(state) {
    if (!this.widths.length) return;
    if (this.laidOut !== `${this.canvas.clientWidth}x${this.canvas.clientHeight}`) this.layout();
    const { context } = fit(this.canvas);
    this.lines = this.findLines(state);
    this.drawLines(context, state);
    this.units.forEach(({ x, y }, i) => this.drawUnit(context, x, y, i, state));
  }

  findLines({ weights, gradients }) {
    const shown = gradients ?? weights, lines = [];
    let start = 0, largest = 1e-30;
    for (let layer = 1; layer < this.widths.length; layer++) {
      const into = this.widths[layer], from = this.widths[layer - 1];
      for (let row = 0; row < into; row++) {
        for (let column = 0; column < from; column++) {
          const value = shown[start + row * from + column];
          lines.push({ layer: layer - 1, row, column, value, from: this.offsets[layer - 1] + column, to: this.offsets[layer] + row });
        }
      }
      start += into * from + into;
    }
    if (lines.length > MOST_LINES) {
      lines.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
      lines.length = MOST_LINES;
    }
    for (const { value } of lines) if (Math.abs(value) > largest) largest = Math.abs(value);
    this.largest = gradients ? largest : Math.min(largest, 5);
    return lines;
  }

  drawLines(context, { selected, gradients }) {
    const thick = Math.max(1, this.size / 6);
    for (const line of this.lines) {
      const share = Math.max(-1, Math.min(1, line.value / this.largest));
      if (!gradients && Math.abs(line.value) < 0.005 && line.value === 0) continue;
      const [r, g, b] = blend(Math.sign(share) * (0.35 + 0.65 * Math.abs(share)));
      const touched = selected && (line.to === selected || line.from === selected);
      context.strokeStyle = `rgba(${r},${g},${b},${selected && !touched ? 0.25 : 0.95})`;
      context.lineWidth = 0.4 + thick * Math.abs(share);
      context.beginPath();
      this.path(context, line);
      context.stroke();
    }
  }

  path(context, line) {
    const a = this.units[line.from], b = this.units[line.to], half = this.size / 2, middle = (a.x + b.x) / 2;
    context.moveTo(a.x + half, a.y);
    context.bezierCurveTo(middle, a.y, middle, b.y, b.x - half, b.y);
  }

  drawUnit(context, x, y, i, { maps, side, spread, selected, discrete }) {
    const left = x - this.size / 2, top = y - this.size / 2, length = side * side;
    drawPlane(context, maps.subarray(i * length, (i + 1) * length), side, left, top, this.size, this.size, { discrete });
    const hidden = i - this.widths[0], dead = hidden >= 0 && hidden < spread.length && spread[hidden] < 1e-6;
    context.strokeStyle = css(i === selected ? "--text" : "--quiet");
    context.lineWidth = i === selected ? 3 : 1;
    context.strokeRect(left, top, this.size, this.size);
    if (dead) {
      context.strokeStyle = css("--danger");
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(left, top);
      context.lineTo(left + this.size, top + this.size);
      context.moveTo(left + this.size, top);
      context.lineTo(left, top + this.size);
      context.stroke();
    }
    this.buttons[i].classList.toggle("dead", dead);
  }

  /** The line near a point, if any. */
  lineAt(x, y) {
    let best = null, distance = 5;
    for (const line of this.lines ?? []) {
      const a = this.units[line.from], b = this.units[line.to], half = this.size / 2;
      if (x < a.x + half || x > b.x - half) continue;
      const t = (x - a.x - half) / Math.max(1, b.x - a.x - this.size), at = bezier(t, a.y, b.y);
      if (Math.abs(at - y) < distance) [best, distance] = [line, Math.abs(at - y)];
    }
    return best;
  }
}

/** The height of the curve from y0 to y1 at a share of its width: close enough to find the line under the pointer. */
const bezier = (t, y0, y1) => y0 + (y1 - y0) * t * t * (3 - 2 * t);
