// Network and boundary as a picture in SVG: lines and texts as shapes, maps as small embedded pictures.

import { s } from "../../dom.js";
import { blend } from "../../draw/colour.js";
import { drawClasses, drawPlane } from "../../draw/heatmap.js";
import { pointColour } from "./plane.js";

const WIDTH = 900, HEIGHT = 420, SIDE = 380;

/** The text of an SVG of the network view and of the plane. */
export function picture(network, state, plane, points, cut, options, caption) {
  const root = s("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${WIDTH + SIDE + 60} ${HEIGHT + 40}`, "font-family": "system-ui, sans-serif", "font-size": 14 });
  const across = WIDTH / network.canvas.clientWidth, down = HEIGHT / network.canvas.clientHeight, scale = Math.min(across, down);
  const left = 10, top = 10, size = network.size * scale;
  for (const line of network.lines) {
    const a = network.units[line.from], b = network.units[line.to], share = Math.max(-1, Math.min(1, line.value / network.largest));
    const [x0, y0, x1, y1] = [left + a.x * across + size / 2, top + a.y * down, left + b.x * across - size / 2, top + b.y * down].map(short), middle = short((x0 + x1) / 2);
    root.append(s("path", { d: `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`, fill: "none", stroke: `rgb(${blend(Math.sign(share) * (0.35 + 0.65 * Math.abs(share))).join()})`, "stroke-width": short(0.4 + (size / 6) * Math.abs(share)) }));
  }
  const length = state.side * state.side;
  network.units.forEach(({ x, y }, i) => {
    const href = pixels(state.side, (context) => drawPlane(context, state.maps.subarray(i * length, (i + 1) * length), state.side, 0, 0, state.side, state.side, options));
    root.append(s("image", { href, x: short(left + x * across - size / 2), y: short(top + y * down - size / 2), width: short(size), height: short(size) }));
  });
  const x = WIDTH + 40, draw = (context) => (plane.certainty ? drawClasses(context, plane.boundary, plane.certainty, plane.side, 0, 0, plane.side, plane.side, options) : drawPlane(context, plane.boundary, plane.side, 0, 0, plane.side, plane.side, { ...options, pale: true }));
  root.append(s("image", { href: pixels(plane.side, draw), x, y: top, width: SIDE, height: SIDE }));
  for (let i = 0; i < (options.test ? points.length / 3 : cut); i++) {
    root.append(s("circle", { cx: short(x + ((points[3 * i] + 6) / 12) * SIDE), cy: short(top + ((6 - points[3 * i + 1]) / 12) * SIDE), r: 3.2, fill: pointColour(points[3 * i + 2], options.regression), stroke: i < cut ? "#fff" : "#000", "stroke-width": 0.8 }));
  }
  root.append(s("text", { x: left, y: HEIGHT + 30, fill: "#586271" }, caption));
  return new XMLSerializer().serializeToString(root);
}

function pixels(side, draw) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  draw(canvas.getContext("2d"));
  return canvas.toDataURL("image/png");
}

const short = (value) => Math.round(value * 100) / 100;
