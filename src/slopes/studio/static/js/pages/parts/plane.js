// The large picture: boundary, points, and a cross that draws points of one's own.

import { CLASSES, blend, css, rgb } from "../../draw/colour.js";
import { drawClasses, drawPlane, fit } from "../../draw/heatmap.js";

const HALF = 6, KEY_STEP = 0.2, DRAG = 0.35;

export class Plane {
  /** onpoint([x1, x2]) while points are drawn. */
  constructor(canvas, { onpoint }) {
    Object.assign(this, { canvas, onpoint, cross: [0, 0], drawing: false, focused: false });
    let last = null;
    const set = (event) => {
      const side = this.side(), box = canvas.getBoundingClientRect();
      const at = [((event.clientX - box.left - side.left) / side.length) * 2 * HALF - HALF, HALF - ((event.clientY - box.top - side.top) / side.length) * 2 * HALF];
      if (Math.max(...at.map(Math.abs)) > HALF || (last && Math.hypot(at[0] - last[0], at[1] - last[1]) < DRAG)) return;
      last = at;
      onpoint(at.map(rounded));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.drawing) return;
      canvas.setPointerCapture(event.pointerId);
      last = null;
      set(event);
    });
    canvas.addEventListener("pointermove", (event) => this.drawing && event.buttons && set(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => (this.focused = true));
    canvas.addEventListener("blur", () => (this.focused = false));
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }, move = moves[event.key];
    if (!this.drawing || (!move && event.key !== "Enter")) return;
    event.preventDefault();
    if (move) this.cross = this.cross.map((value, i) => Math.max(-HALF, Math.min(HALF, value + move[i] * KEY_STEP)));
    else this.onpoint(this.cross.map(rounded));
    this.again?.();
  }

  side() {
    const length = Math.min(this.canvas.clientWidth, this.canvas.clientHeight);
    return { length, left: (this.canvas.clientWidth - length) / 2, top: (this.canvas.clientHeight - length) / 2 };
  }

  /** shown: { boundary, certainty, side } or { map, side } of a unit; points (N x 3), cut; options: discrete, test, regression. */
  draw(shown, points, cut, options) {
    this.again = () => this.draw(shown, points, cut, options);
    const { context } = fit(this.canvas), { left, top, length } = this.side();
    if (shown.map) drawPlane(context, shown.map, shown.side, left, top, length, length, { discrete: options.discrete, smooth: true, pale: true });
    else if (shown.certainty) drawClasses(context, shown.boundary, shown.certainty, shown.side, left, top, length, length, options);
    else drawPlane(context, shown.boundary, shown.side, left, top, length, length, { ...options, smooth: !options.discrete, pale: true });
    const radius = Math.max(2, Math.min(4, length / 110)), stop = options.test ? points.length / 3 : cut;
    for (let i = 0; i < stop; i++) {
      const x = left + ((points[3 * i] + HALF) / (2 * HALF)) * length, y = top + ((HALF - points[3 * i + 1]) / (2 * HALF)) * length;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = pointColour(points[3 * i + 2], options.regression);
      context.fill();
      context.strokeStyle = i < cut ? "rgba(255,255,255,.85)" : "rgba(0,0,0,.85)";
      context.lineWidth = i < cut ? 1 : 1.4;
      context.stroke();
    }
    context.strokeStyle = css("--quiet");
    context.strokeRect(left + 0.5, top + 0.5, length - 1, length - 1);
    if (this.drawing && this.focused) this.drawCross(context, left, top, length);
  }

  drawCross(context, left, top, length) {
    const x = left + ((this.cross[0] + HALF) / (2 * HALF)) * length, y = top + ((HALF - this.cross[1]) / (2 * HALF)) * length;
    context.strokeStyle = css("--text");
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x - 8, y);
    context.lineTo(x + 8, y);
    context.moveTo(x, y - 8);
    context.lineTo(x, y + 8);
    context.stroke();
  }
}

export function pointColour(target, regression) {
  const [r, g, b] = regression ? blend(target) : rgb(CLASSES[target % CLASSES.length]);
  return `rgb(${r},${g},${b})`;
}

const rounded = (value) => Math.round(value * 1000) / 1000;
