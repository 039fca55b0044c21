// Curves that each have their own positions, on a canvas: ticks, a marker under the pointer, and what each curve is there.

import { ticks } from "./chart.js";
import { css } from "./colour.js";
import { fit } from "./heatmap.js";

const FONT = "12px system-ui, sans-serif";

/** curves: [{ x, y, colour, dash }]; pointer: a position in CSS pixels or null. Returns the x under the pointer, or null. */
export function drawCurves(canvas, { curves, xLabel, yLabel, log = false, pointer = null }) {
  const { context, width, height } = fit(canvas), box = { left: 58, top: 12, right: width - 12, bottom: height - 34 };
  context.font = FONT;
  const extent = extentOf(curves, log);
  if (!extent) {
    context.fillStyle = css("--quiet");
    context.textAlign = "center";
    context.fillText("no curve: choose a run that has one", width / 2, height / 2);
    return null;
  }
  const scale = log ? Math.log10 : (value) => value, { left, right } = extent;
  const low = scale(extent.low), high = scale(extent.high) > low ? scale(extent.high) : low + 1;
  const px = (x) => box.left + ((x - left) / (right - left)) * (box.right - box.left), py = (y) => box.bottom - ((scale(y) - low) / (high - low)) * (box.bottom - box.top);
  drawAxes(context, box, { left, right, low, high, log, px, xLabel, yLabel });
  context.save();
  context.beginPath();
  context.rect(box.left, box.top - 2, box.right - box.left, box.bottom - box.top + 4);
  context.clip();
  for (const curve of curves) drawCurve(context, curve, px, py, log);
  context.restore();
  if (pointer === null || pointer < box.left || pointer > box.right) return null;
  context.setLineDash([]);
  context.strokeStyle = css("--text");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(pointer, box.top);
  context.lineTo(pointer, box.bottom);
  context.stroke();
  return left + ((pointer - box.left) / (box.right - box.left)) * (right - left);
}

/** The value of a curve nearest to x, or null. */
export function nearest({ x, y }, at) {
  let best = null;
  for (let i = 0; i < x.length; i++) if (best === null || Math.abs(x[i] - at) < Math.abs(x[best] - at)) best = i;
  return best === null ? null : { x: x[best], y: y[best] };
}

function extentOf(curves, log) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (const { x, y } of curves) {
    for (let i = 0; i < y.length; i++) {
      if (!Number.isFinite(y[i]) || (log && y[i] <= 0)) continue;
      left = Math.min(left, x[i]);
      right = Math.max(right, x[i]);
      low = Math.min(low, y[i]);
      high = Math.max(high, y[i]);
    }
  }
  if (left > right) return null;
  return { left: left === right ? left - 1 : left, right: left === right ? right + 1 : right, low, high };
}

function drawAxes(context, box, { left, right, low, high, log, px, xLabel, yLabel }) {
  context.fillStyle = css("--quiet");
  context.strokeStyle = css("--line");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const whole = log ? ticks(low, high, 4).filter((tick) => Number.isInteger(+tick.toFixed(6))) : [];
  for (const tick of whole.length > 1 ? whole : ticks(low, high, 7)) {
    const y = box.bottom - ((tick - low) / (high - low)) * (box.bottom - box.top);
    context.beginPath();
    context.moveTo(box.left, y);
    context.lineTo(box.right, y);
    context.stroke();
    context.fillText(label(log ? 10 ** tick : tick), box.left - 6, y);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of ticks(left, right, Math.max(2, Math.min(8, Math.floor((box.right - box.left) / 80))))) context.fillText(label(tick), px(tick), box.bottom + 4);
  context.textAlign = "right";
  context.fillText(xLabel, box.right, box.bottom + 19);
  context.textAlign = "left";
  context.fillText(yLabel, 4, box.bottom + 19);
}

function drawCurve(context, { x, y, colour, dash = [] }, px, py, log) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 2;
  context.setLineDash(dash);
  context.beginPath();
  let open = false;
  for (let i = 0; i < y.length; i++) {
    const shown = Number.isFinite(y[i]) && (!log || y[i] > 0);
    if (shown && open) context.lineTo(px(x[i]), py(y[i]));
    else if (shown) context.moveTo(px(x[i]), py(y[i]));
    open = shown;
  }
  context.stroke();
  if (y.length < 40 && dash.length) for (let i = 0; i < y.length; i++) if (Number.isFinite(y[i]) && (!log || y[i] > 0)) context.fillRect(px(x[i]) - 2.5, py(y[i]) - 2.5, 5, 5);
}

export const label = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(+value.toPrecision(4)));
