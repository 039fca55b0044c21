// Line charts in SVG: a few lines over steps or epochs, with axes, units, a legend and a marker.

import { fill, h, s } from "../dom.js";

const LEFT = 44, RIGHT = 10, TOP = 8, BOTTOM = 30, HEIGHT = 170;

/** Round figures between two limits, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough || 1));
  const step = unit * ([1, 2, 5].find((factor) => factor * unit >= rough) ?? 10);
  const result = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) result.push(value);
  return result;
}

/** A figure in a few characters: 1200 as 1.2k. */
export function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return size && size < 1e-3 ? value.toExponential(0).replace("e-", "e−") : `${+value.toPrecision(3)}`.replace("-", "−");
}

/**
 * A chart; chart.draw(lines, options) draws lines { name, colour, x, y, dash }.
 * options: xlabel, log (the y axis), low and high (of the y axis), marks: [{ y, text }] are horizontal lines, marker: an x with a
 * vertical line, format(value) of the legend, none: what stands there while there is no value
 */
export class Chart {
  constructor(title, tip, ...controls) {
    this.svg = s("svg", { class: "chart", role: "img", "aria-label": title, ...tip });
    this.legend = h("p", { class: "chart-legend quiet" });
    this.element = h("figure", { class: "stack" }, h("figcaption", { class: "row" }, h("h3", { tabindex: 0, ...tip }, title), h("span", { class: "grow" }), controls), this.svg, this.legend);
    this.title = title;
    this.observer = new ResizeObserver(() => this.last && this.draw(...this.last));
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  draw(lines, options = {}) {
    this.last = [lines, options];
    const width = Math.max(200, this.element.clientWidth), scale = options.log ? (y) => Math.log10(y) : (y) => y;
    const { marks = [], xlabel = "steps", marker = null, none = "" } = options;
    let [left, right, low, high] = [Infinity, -Infinity, options.low ?? Infinity, options.high ?? -Infinity];
    for (const { x, y } of lines) {
      for (let i = 0; i < x.length; i++) {
        if (!shown(y[i], options.log)) continue;
        [left, right] = [Math.min(left, x[i]), Math.max(right, x[i])];
        [low, high] = [Math.min(low, scale(y[i])), Math.max(high, scale(y[i]))];
      }
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("height", HEIGHT);
    if (!Number.isFinite(left)) {
      fill(this.legend);
      return fill(this.svg, s("text", { x: LEFT, y: HEIGHT / 2 }, none));
    }
    if (marker !== null) [left, right] = [Math.min(left, marker), Math.max(right, marker)];
    for (const mark of marks) [low, high] = [Math.min(low, scale(mark.y)), Math.max(high, scale(mark.y))];
    if (right <= left) right = left + 1;
    if (high - low < 1e-9) high = low + 1;
    const toX = (value) => LEFT + ((value - left) / (right - left)) * (width - LEFT - RIGHT);
    const toY = (value) => TOP + ((high - scale(value)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const powers = ticks(low, high, 4);
    const steps = options.log ? [...new Set(powers.map(Math.round))].filter((power) => power >= low && power <= high).map((power) => 10 ** power) : powers;
    fill(this.svg,
      steps.map((value) => [s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: toY(value), y2: toY(value) }),
        s("text", { x: LEFT - 6, y: toY(value) + 4, "text-anchor": "end" }, short(value))]),
      ticks(left, right, width / 110).map((value) => s("text", { x: toX(value), y: HEIGHT - 14, "text-anchor": "middle" }, short(value))),
      s("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 1, "text-anchor": "middle" }, xlabel),
      marks.map(({ y, text }) => [s("line", { class: "mark", x1: LEFT, x2: width - RIGHT, y1: toY(y), y2: toY(y) }),
        s("text", { x: width - RIGHT, y: toY(y) - 3, "text-anchor": "end" }, text)]),
      lines.map((line) => s("path", { class: `line ${line.colour}`, d: pathOf(line, toX, toY, options.log), "stroke-dasharray": line.dash })),
      marker !== null && s("line", { class: "marker", x1: toX(marker), x2: toX(marker), y1: TOP, y2: HEIGHT - BOTTOM }));
    fill(this.legend, lines.filter((line) => line.y.length).map((line) => {
      const value = line.y[line.y.length - 1];
      return h("span", {}, h("i", { class: `key ${line.colour} ${line.dash ? "dashed" : ""}` }), ` ${line.name} `, h("b", {}, options.format ? options.format(value) : short(value)));
    }));
    this.svg.setAttribute("aria-label", `${this.title}: ${this.legend.textContent}`);
  }
}

const shown = (value, log) => Number.isFinite(value) && (!log || value > 0);

function pathOf({ x, y }, toX, toY, log) {
  let text = "", pen = "M";
  for (let i = 0; i < x.length; i++) {
    if (!shown(y[i], log)) continue;
    text += `${pen}${toX(x[i]).toFixed(1)} ${toY(y[i]).toFixed(1)}`;
    pen = "L";
  }
  return text;
}

/** Row `index` of an array of shape (rows, columns). */
export function row(array, index) {
  const width = array.shape[1];
  return array.subarray(index * width, (index + 1) * width);
}
