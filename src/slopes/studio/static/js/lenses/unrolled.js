// A recurrent network unrolled in time: one unit's state, gates and what adds up in them, for a few steps.

import { fill, s } from "../dom.js";
import { colourOf, colours } from "./paint.js";
import { shown } from "./heat.js";

const COLUMN = 210, LEFT = 70, TOP = 26, RADIUS = 19;
const LEVELS = {
  lstm: { h: 84, c: 158, gates: 244, x: 344, height: 372 },
  gru: { h: 84, gates: 196, x: 296, height: 324 },
  rnn: { h: 100, x: 200, height: 228 },
};
const MEANING = {
  h: "the hidden state: what the unit tells", c: "the cell: what the unit remembers", i: "input gate: how much of g is let in", f: "forget gate: how much of the cell is kept",
  g: "candidate: what could be added to the cell", o: "output gate: how much of the cell is told", r: "reset gate: how much of the old state the candidate sees",
  z: "update gate: how much of the old state is kept", n: "candidate: the new state",
};

/** How many steps fit into a width; at least three, which then are scrolled. */
export function stepsFor(width) {
  return Math.max(3, Math.floor((width - LEFT) / COLUMN));
}

/** Draw into `svg` the steps first, first + 1, ... of `seen`: { kind, text, states, gates, expected, shares, fromInput, fromState, unit }. */
export function drawUnrolled(svg, seen, first, count) {
  const levels = LEVELS[seen.kind], theme = colours(), edges = [], nodes = [];
  const at = (array, step) => array[step * array.shape[1] + seen.unit];
  const value = (name, step) => (step < 0 ? 0 : at(seen.states[name] ?? seen.gates[name], step));
  const total = [...seen.text].length, last = Math.min(total, first + count);
  const node = (name, step, x, y) => nodes.push(circle(name, step, x, y, value(name, step), theme));
  const edge = (x1, y1, x2, y2, amount, title, label, bend = 0) => edges.push(arrow(x1, y1, x2, y2, amount, title, label, theme, bend));
  const columnOf = (step) => LEFT + (step - first) * COLUMN + COLUMN / 2;
  const states = seen.kind === "lstm" ? ["h", "c"] : ["h"];
  for (const name of states) if (first > 0) node(name, first - 1, LEFT / 2, levels[name]);
  for (let step = first; step < last; step++) {
    const x = columnOf(step), before = step === first ? LEFT / 2 : columnOf(step - 1), has = step > 0;
    const [h0, c0] = [value("h", step - 1), states.includes("c") ? value("c", step - 1) : 0];
    if (seen.kind === "rnn") {
      edge(x, levels.x - 18, x, levels.h + RADIUS, seen.fromInput[step], "from the character: W x", signed(seen.fromInput[step]));
      if (has) edge(before + RADIUS, levels.h, x - RADIUS, levels.h, seen.fromState[step], "from the state before: U h", signed(seen.fromState[step]));
    } else {
      const names = Object.keys(seen.gates), spread = COLUMN / (names.length + 0.6);
      names.forEach((name, j) => {
        const gx = x + (j - (names.length - 1) / 2) * spread, input = seen.fromInput[step * names.length + j], state = seen.fromState[step * names.length + j];
        edge(x, levels.x - 18, gx, levels.gates + RADIUS, input, `from the character to ${name}: ${signed(input)}`);
        if (has) edge(before, levels.h + RADIUS, gx - RADIUS * 0.6, levels.gates - RADIUS * 0.8, state, `from the state before to ${name}: ${signed(state)}`, "", 26);
        node(name, step, gx, levels.gates);
        if (seen.kind === "lstm") {
          if (name === "i" || name === "g") edge(gx, levels.gates - RADIUS, x, levels.c + RADIUS, value("i", step) * value("g", step), `i · g = ${signed(value("i", step) * value("g", step))}`, name === "g" ? `i·g ${signed(value("i", step) * value("g", step))}` : "");
          if (name === "o") edge(gx, levels.gates - RADIUS, x + RADIUS, levels.h + 8, value("o", step), `o = ${signed(value("o", step))}`);
        } else if (name === "n") edge(gx, levels.gates - RADIUS, x + 6, levels.h + RADIUS, (1 - value("z", step)) * value("n", step), "(1 − z) · n", `(1−z)·n ${signed((1 - value("z", step)) * value("n", step))}`);
      });
      if (seen.kind === "lstm") {
        const kept = value("f", step) * c0;
        if (has) edge(before + RADIUS, levels.c, x - RADIUS, levels.c, kept, `f · c = ${signed(kept)}`, `f·c ${signed(kept)}`);
        edge(x, levels.c - RADIUS, x, levels.h + RADIUS, value("h", step), `h = o · tanh c = ${signed(value("h", step))}`);
      } else if (has) edge(before + RADIUS, levels.h, x - RADIUS, levels.h, value("z", step) * h0, "z · h", `z·h ${signed(value("z", step) * h0)}`);
    }
    for (const name of states) node(name, step, x, levels[name]);
    const character = [...seen.text][step];
    nodes.push(s("g", {}, s("rect", { class: "box", x: x - 18, y: levels.x - 18, width: 36, height: 34, rx: 5 }), s("text", { x, y: levels.x + 5, "text-anchor": "middle", class: "character" }, shown(character))));
    edge(x, levels.h - RADIUS, x, TOP + 10, 0.3, "all units together predict what comes next");
    const guess = [...seen.expected[step]][0], share = seen.shares[step * seen.shares.shape[1]];
    nodes.push(s("text", { x, y: TOP, "text-anchor": "middle", class: "guess" }, `${shown(guess)} ${(100 * share).toFixed(0)} %`));
  }
  const width = LEFT + (last - first) * COLUMN;
  svg.setAttribute("viewBox", `0 0 ${width} ${levels.height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", levels.height);
  svg.setAttribute("aria-label", `unit ${seen.unit} for the characters ${[...seen.text].slice(first, last).join("")}`);
  fill(svg, s("defs", {}, s("marker", { id: "tip-of-arrow", viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 6, markerHeight: 6, markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { d: "M0 0L6 3L0 6z", class: "tip-of-arrow" }))), edges, nodes);
}

function circle(name, step, x, y, value, theme) {
  const colour = colourOf(value, 1, theme).map(Math.round), dark = colour[0] * 0.3 + colour[1] * 0.59 + colour[2] * 0.11 < 128;
  return s("g", {}, s("title", {}, `${name}: ${MEANING[name]}: ${value.toFixed(3)}`),
    s("circle", { class: "node", cx: x, cy: y, r: RADIUS, fill: `rgb(${colour.join(" ")})` }),
    s("text", { x, y: y - 3, "text-anchor": "middle", class: "name", fill: dark ? "#fff" : "#111" }, name),
    s("text", { x, y: y + 9, "text-anchor": "middle", class: "value", fill: dark ? "#fff" : "#111" }, signed(value)));
}

function arrow(x1, y1, x2, y2, amount, title, label, theme, bend) {
  const strength = Math.min(1, Math.abs(amount) / 2), middle = [(x1 + x2) / 2, (y1 + y2) / 2];
  const path = bend ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2 - bend} ${y2 - bend} ${x2} ${y2}` : `M${x1} ${y1}L${x2} ${y2}`;
  return s("g", {}, s("path", { d: path, class: `edge ${amount < 0 ? "orange" : "blue"}`, "stroke-width": (0.6 + 3.4 * strength).toFixed(2), "marker-end": "url(#tip-of-arrow)" }, s("title", {}, title)),
    label && s("text", { x: middle[0] + (x1 === x2 ? 6 : 0), y: middle[1] - (x1 === x2 ? 0 : 6), "text-anchor": x1 === x2 ? "start" : "middle", class: "label" }, label));
}

function signed(value) {
  return `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;
}
