// A pad to draw on, with mouse, finger or keys: strokes of points in the unit square.

import { h } from "../dom.js";
import { colours, sized } from "./paint.js";

const SIDE = 210, NEAR = 0.012, KEY_STEP = 0.03;
const MOST_STROKES = 40, MOST_POINTS = 600;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  /** changed(strokes) is called while something is drawn; strokes are lists x, y, x, y, ... */
  constructor(changed) {
    this.changed = changed;
    this.strokes = [];
    this.pen = 0.09;
    this.cursor = null;
    this.canvas = h("canvas", {
      class: "pad", tabindex: 0, role: "img",
      "aria-label": "Pad to draw on with mouse or finger. Keys: arrows move the pen, space puts it down and lifts it, delete clears the pad.",
    });
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => (this.drawing = false));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => { this.cursor = null; this.drawing = false; this.paint(); });
    this.paint();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((value) => Math.min(1, Math.max(0, +value.toFixed(4))));
  }

  down(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(...this.point(event));
  }

  move(event) {
    if (!this.drawing) return;
    for (const sample of event.getCoalescedEvents?.() ?? [event]) this.extend(...this.point(sample));
  }

  begin(x, y) {
    if (this.strokes.length >= MOST_STROKES) return;
    this.drawing = true;
    this.strokes.push([x, y]);
    this.changedNow();
  }

  extend(x, y) {
    const stroke = this.strokes[this.strokes.length - 1];
    const [lastX, lastY] = stroke.slice(-2);
    if (stroke.length >= 2 * MOST_POINTS || Math.hypot(x - lastX, y - lastY) < NEAR) return;
    stroke.push(x, y);
    this.changedNow();
  }

  key(event) {
    if (event.key in KEYS) {
      const [dx, dy] = KEYS[event.key], [x, y] = this.cursor ?? [0.5, 0.5];
      this.cursor = [x + dx * KEY_STEP, y + dy * KEY_STEP].map((value) => Math.min(0.97, Math.max(0.03, value)));
      if (this.drawing) this.extend(...this.cursor);
    } else if (event.key === " ") {
      this.cursor ??= [0.5, 0.5];
      if (this.drawing) this.drawing = false;
      else this.begin(...this.cursor);
    } else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
    this.paint();
  }

  clear(silently = false) {
    this.strokes = [];
    this.drawing = false;
    if (silently) this.paint();
    else this.changedNow();
  }

  changedNow() {
    this.paint();
    this.changed(this.strokes);
  }

  paint() {
    const context = sized(this.canvas, SIDE, SIDE), theme = colours();
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    context.strokeStyle = context.fillStyle = "#fff";
    context.lineWidth = this.pen * SIDE;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(stroke[0] * SIDE, stroke[1] * SIDE);
      for (let i = 0; i < stroke.length; i += 2) context.lineTo(stroke[i] * SIDE, stroke[i + 1] * SIDE);
      context.stroke();
    }
    if (this.cursor) {
      context.strokeStyle = theme.orange;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.cursor[0] * SIDE, this.cursor[1] * SIDE, 7, 0, 7);
      context.stroke();
    } else if (!this.strokes.length) {
      context.fillStyle = "#9aa4b0";
      context.font = "15px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("draw here", SIDE / 2, SIDE / 2);
    }
  }
}
