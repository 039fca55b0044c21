// The layers of a network from input to output: filters and feature maps; a unit is pointed at, chosen and walked through with keys.

import { fill, h } from "../dom.js";
import { Sheet, colours, limitOf } from "./paint.js";

const GAP = 4, DENSE = 14, LARGEST_TILE = 72, SMALLEST_TILE = 26;
const NAMES = { Conv2d: "convolution", ReLU: "ReLU", MaxPool2d: "max pooling", Flatten: "flatten", Linear: "dense" };

export class Layers {
  /** hover(layer, row, column), choose(layer, unit); tip(name): the attributes of a tooltip */
  constructor({ hover, choose }, tip) {
    Object.assign(this, { hover, choose, tip });
    this.element = h("div", { class: "layers" });
    this.rows = [];
    this.chosen = [0, 0];
    this.observer = new ResizeObserver(() => this.paintAll());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  /** The layers { path, text, kind, shape } of a new network; classes name the units of the last one. */
  show(layers, classes) {
    this.classes = classes;
    this.rows = layers.map((layer, index) => this.makeRow(layer, index));
    fill(this.element, this.rows.filter((row) => row.element).map((row) => row.element));
  }

  makeRow(layer, index) {
    if (layer.kind === "Flatten") return { layer };
    const spatial = layer.shape.length === 3;
    const size = spatial ? `${layer.shape[0]} maps of ${layer.shape[1]} × ${layer.shape[2]}` : `${layer.shape[0]} units`;
    const filters = layer.kind === "Conv2d" ? h("canvas", { role: "img", "aria-label": `filters of ${layer.text}`, ...this.tip("kernels") }) : null;
    const maps = h("canvas", { tabindex: 0, role: "img", class: "maps", "aria-label": `${NAMES[layer.kind] ?? layer.kind}: ${size}. Arrow keys choose a unit.`, ...this.tip("layers") });
    const readout = h("span", { class: "quiet readout" });
    const row = { layer, spatial, filters, maps, readout };
    maps.addEventListener("pointermove", (event) => this.point(row, index, event));
    maps.addEventListener("pointerleave", () => fill(readout));
    maps.addEventListener("click", (event) => this.pick(row, index, event));
    maps.addEventListener("keydown", (event) => this.key(index, layer.shape[0], event));
    row.element = h("section", { class: "layer" },
      h("h3", {}, NAMES[layer.kind] ?? layer.kind, h("span", { class: "quiet" }, ` ${detail(layer)} · ${size}`), " ", readout),
      filters && h("div", { class: "filters" }, h("span", { class: "quiet" }, "filters"), filters), maps);
    return row;
  }

  /** The outputs of all layers, by their index. */
  update(outputs) {
    this.rows.forEach((row, index) => (row.values = outputs[String(index)]));
    this.paintAll();
  }

  /** The weights of convolutions, by the index of their layer. */
  updateFilters(weights) {
    this.rows.forEach((row, index) => {
      if (!row.filters || !weights[String(index)]) return;
      row.weights = weights[String(index)];
      this.paintFilters(row);
    });
  }

  mark(layer, unit) {
    this.chosen = [layer, unit];
    this.paintAll();
  }

  paintAll() {
    const theme = colours();
    this.rows.forEach((row, index) => {
      if (row.values && row.maps) this.paintMaps(row, index, theme);
      if (row.weights) this.paintFilters(row, theme);
    });
  }

  /** How a layer's units are laid out: the side of a tile, tiles in a row, and all in all. */
  layout(row) {
    const width = Math.max(120, this.element.clientWidth - 2), [units, , columns = 1] = row.layer.shape;
    if (!row.spatial) {
      const label = index(row, this) === this.rows.length - 1;
      const tile = label ? Math.max(28, Math.min(64, Math.floor(width / units) - GAP)) : DENSE;
      const perRow = Math.max(1, Math.floor((width + GAP) / (tile + (label ? GAP : 2))));
      return { tile, gap: label ? GAP : 2, perRow, width, rows: Math.ceil(units / perRow), label };
    }
    const ideal = Math.min(LARGEST_TILE, Math.max(SMALLEST_TILE, columns * 3));
    const fitting = Math.floor((width + GAP) / units) - GAP;
    const tile = fitting >= SMALLEST_TILE ? Math.min(LARGEST_TILE, fitting) : ideal;
    const perRow = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
    return { tile, gap: GAP, perRow, width, rows: Math.ceil(units / perRow) };
  }

  paintMaps(row, index, theme) {
    const layout = (row.layout = this.layout(row)), { tile, gap, perRow, width, rows, label } = layout;
    const [units, height = 1, columns = 1] = row.layer.shape, limit = limitOf(row.values);
    const room = label ? 18 : 0;
    const sheet = new Sheet(row.maps, width, rows * (tile + gap + room) - gap, theme);
    const corner = (unit) => [(unit % perRow) * (tile + gap), Math.floor(unit / perRow) * (tile + gap + room)];
    for (let unit = 0; unit < units; unit++) sheet.heat(row.values, unit * height * columns, columns, height, limit, ...corner(unit), tile, tile);
    const context = sheet.finish();
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (let unit = 0; unit < units; unit++) {
      const [x, y] = corner(unit), chosen = this.chosen[0] === index && this.chosen[1] === unit;
      context.strokeStyle = chosen ? theme.orange : theme.line;
      context.lineWidth = chosen ? 3 : 1;
      context.strokeRect(x + 0.5, y + 0.5, tile - 1, tile - 1);
      context.fillStyle = theme.text;
      if (label) context.fillText(this.classes[unit].slice(0, Math.floor(tile / 7)), x + tile / 2, y + tile + 14);
    }
  }

  /** Kernels: a column for each filter, a row for each map that it reads; the wider the page, the larger. */
  paintFilters(row, theme = colours()) {
    const [units, depth, height, width] = row.weights.shape, limit = limitOf(row.weights);
    const room = Math.max(120, this.element.clientWidth - 64), gap = depth === 1 ? 5 : 2;
    const cell = Math.max(1, Math.min(depth === 1 ? 6 : 3, Math.floor((room / units - gap) / width)));
    const across = cell * width + gap, down = cell * height + gap, perRow = Math.max(1, Math.min(units, Math.floor((room + gap) / across)));
    const sheet = new Sheet(row.filters, perRow * across, Math.ceil(units / perRow) * (depth * down + gap), theme);
    for (let unit = 0; unit < units; unit++) {
      for (let input = 0; input < depth; input++) {
        const x = (unit % perRow) * across, y = Math.floor(unit / perRow) * (depth * down + gap) + input * down;
        sheet.heat(row.weights, (unit * depth + input) * height * width, width, height, limit, x, y, cell * width, cell * height);
      }
    }
    sheet.finish();
  }

  /** { unit, row, column } under the pointer, or null. */
  under(row, event) {
    if (!row.layout) return null;
    const box = row.maps.getBoundingClientRect(), { tile, gap, perRow, label } = row.layout;
    const x = event.clientX - box.left, y = event.clientY - box.top, room = label ? 18 : 0;
    const column = Math.floor(x / (tile + gap)), line = Math.floor(y / (tile + gap + room));
    const unit = line * perRow + column, [insideX, insideY] = [x - column * (tile + gap), y - line * (tile + gap + room)];
    if (column >= perRow || unit >= row.layer.shape[0] || unit < 0 || insideX >= tile || insideY >= tile + room) return null;
    const [, height = 1, width = 1] = row.layer.shape;
    return { unit, row: Math.min(height - 1, Math.floor((insideY / tile) * height)), column: Math.min(width - 1, Math.floor((insideX / tile) * width)) };
  }

  point(row, index, event) {
    const at = this.under(row, event);
    if (!at) return fill(row.readout);
    const [, height = 1, width = 1] = row.layer.shape, value = row.values?.[(at.unit * height + at.row) * width + at.column] ?? 0;
    fill(row.readout, row.spatial ? ` · map ${at.unit}, row ${at.row}, column ${at.column}: ${value.toFixed(2)}` : ` · unit ${at.unit}: ${value.toFixed(2)}`);
    if (row.spatial) this.hover(index, at.row, at.column);
  }

  pick(row, index, event) {
    const at = this.under(row, event);
    if (at) this.choose(index, at.unit);
  }

  key(index, units, event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const unit = this.chosen[0] === index ? this.chosen[1] + moves[event.key] : 0;
    this.choose(index, Math.min(units - 1, Math.max(0, unit)));
  }
}

function index(row, layers) {
  return layers.rows.indexOf(row);
}

/** "5 × 5" of a convolution's text. */
function detail(layer) {
  const kernel = /(\d+)\s*[x×]\s*(\d+)/.exec(layer.text);
  return kernel && layer.kind !== "Linear" ? `${kernel[1]} × ${kernel[2]}` : "";
}
