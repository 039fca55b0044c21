// The playground.

import { h } from "../dom.js";

export function mount(root, connection) {
  const steps = h("output", {}, "0");
  root.append(h("h1", {}, "Playground"), h("button", { type: "button", "data-tip": "Start and pause", onclick: () => connection.send("play", { on: true }) }, "Play"), steps);
  connection.onframe = ({ header }) => (steps.value = header.steps);
}
