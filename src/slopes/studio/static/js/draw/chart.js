// A line chart on a canvas: a few series over one axis, with ticks, a legend and a marker.

import { css } from "./colour.js";
import { fit } from "./heatmap.js";


/** series: [{ name, colour (a CSS variable or colour), values, dash }]; xs: their common positions; marker: a position or null. */
export function drawChart(canvas, { series, xs, marker = null, xLabel = "", yLabel = "", xScale = 1, log = false }) {
  const { context, width, height } = fit(canvas);
  const box = { left: 46, top: 22, right: width - 10, bottom: height - 30 };
  context.font = `${0.8 * parseFloat(getComputedStyle(document.documentElement).fontSize)}px system-ui, sans-serif`;
  context.fillStyle = css("--quiet");
  legend(context, series, box, yLabel);
  const values = series.flatMap((one) => Array.from(one.values)).filter((value) => Number.isFinite(value) && (!log || value > 0));
  if (!values.length) {
    context.fillText("no epoch yet", box.left, (box.top + box.bottom) / 2);
    return;
  }
  const scale = log ? Math.log10 : (value) => value;
  let low = log ? Math.floor(scale(Math.min(...values))) : Math.min(0, ...values), high = log ? Math.ceil(scale(Math.max(...values))) : Math.max(...values);
  if (high - low < 1e-12) high = low + 1;
  const last = Math.max(xs[xs.length - 1], marker ?? 0, 1);
  const px = (x) => box.left + (x / last) * (box.right - box.left), py = (y) => box.bottom - ((scale(y) - low) / (high - low)) * (box.bottom - box.top);
  grid(context, box, low, high, log, (y) => box.bottom - ((y - low) / (high - low)) * (box.bottom - box.top));
  xTicks(context, box, last * xScale, xLabel);
  for (const { colour, values, dash = [] } of series) {
    context.beginPath();
    context.setLineDash(dash);
    context.strokeStyle = colour.startsWith("--") ? css(colour) : colour;
    context.lineWidth = 2;
    values.forEach((value, i) => {
      if (!Number.isFinite(value) || (log && value <= 0)) return;
      if (i) context.lineTo(px(xs[i]), py(value));
      else context.moveTo(px(xs[i]), py(value));
    });
    context.stroke();
    if (values.length === 1) context.fillRect(px(xs[0]) - 2, py(values[0]) - 2, 4, 4);
  }
  context.setLineDash([]);
  if (marker !== null) {
    context.strokeStyle = css("--text");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(px(marker), box.top);
    context.lineTo(px(marker), box.bottom);
    context.stroke();
  }
}

function legend(context, series, box, yLabel) {
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(yLabel, 4, 10);
  let x = Math.max(box.left + 40, context.measureText(yLabel).width + 20);
  for (const { name, colour, dash = [] } of series) {
    context.strokeStyle = colour.startsWith("--") ? css(colour) : colour;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, 10);
    context.lineTo(x + 18, 10);
    context.stroke();
    context.fillText(name, x + 23, 10);
    x += 23 + context.measureText(name).width + 14;
  }
  context.setLineDash([]);
}

function grid(context, box, low, high, log, py) {
  context.strokeStyle = css("--line");
  context.lineWidth = 1;
  context.textAlign = "right";
  const ticks = log ? range(low, high, Math.max(1, Math.ceil((high - low) / 5))) : niceTicks(low, high, 4);
  for (const tick of ticks) {
    context.beginPath();
    context.moveTo(box.left, py(tick));
    context.lineTo(box.right, py(tick));
    context.stroke();
    context.fillText(log ? `1e${tick}` : label(tick), box.left - 5, py(tick));
  }
}

function xTicks(context, box, last, xLabel) {
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of niceTicks(0, last, 5)) context.fillText(label(tick), box.left + (tick / last) * (box.right - box.left), box.bottom + 4);
  context.textAlign = "right";
  context.fillText(xLabel, box.right, box.bottom + 16);
  context.textBaseline = "middle";
}

export function niceTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  return range(Math.ceil(low / step) * step, high + step * 1e-9, step);
}

const range = (start, stop, step) => Array.from({ length: Math.max(0, Math.floor((stop - start) / step) + 1) }, (_, i) => start + i * step);
const label = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(0) : String(+value.toPrecision(4)));
