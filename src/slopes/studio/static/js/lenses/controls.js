// The controls of a training: play, pause, step, reset, and settings as fields with tooltips.

import { fill, h } from "../dom.js";

/** Buttons to control a training, with tooltips tip(name); buttons.show({ playing, ready, task }) keeps them up to date. */
export class TrainingButtons {
  constructor(connection, tip) {
    const control = (action) => () => connection.send("control", { action });
    this.playing = false;
    this.play = h("button", { type: "button", class: "primary", ...tip("play"), onclick: () => control(this.playing ? "pause" : "play")() }, "Play");
    this.step = h("button", { type: "button", ...tip("step"), onclick: control("step") }, "Step");
    this.reset = h("button", { type: "button", ...tip("reset"), onclick: control("reset") }, "Reset");
    this.task = h("span", { class: "task quiet", role: "status" });
    this.element = h("div", { class: "row" }, this.play, this.step, this.reset, this.task);
    this.show({ ready: false, task: "connecting" });
  }

  show({ playing = false, ready, task }) {
    this.playing = playing;
    this.play.textContent = playing ? "Pause" : "Play";
    this.play.disabled = this.step.disabled = this.reset.disabled = !ready;
    if (this.task.textContent !== `${task}${task ? " …" : ""}`) fill(this.task, task ? `${task} …` : "");
  }
}

/** A field that is a select: options are [value, text], tip the attributes of its tooltip. */
export function select(name, text, tip, options, change) {
  const input = h("select", { name, onchange: () => change(name, input.value) }, options.map(([value, label]) => h("option", { value }, label)));
  return field(input, text, tip);
}

/** A field for a number; whole numbers where the step is whole. */
export function figure(name, text, tip, { min, max, step, any }, change) {
  const input = h("input", { name, type: "number", min, max, step: any ? "any" : step });
  input.addEventListener("change", () => {
    const value = Number(input.value);
    if (input.value !== "" && Number.isFinite(value) && value >= min && value <= max) change(name, any || step % 1 ? value : Math.round(value));
    else input.value = input.dataset.value ?? "";
  });
  return field(input, text, tip);
}

/** A check box. */
export function check(name, text, tip, change) {
  const input = h("input", { name, type: "checkbox", onchange: () => change(name, input.checked) });
  return h("label", { class: "inline", ...tip }, input, text);
}

function field(input, text, tip) {
  return h("label", tip, text, input);
}

/** Show settings in the fields with their names, except where the user is typing. */
export function showSettings(root, settings) {
  for (const [name, value] of Object.entries(settings)) {
    const input = root.querySelector(`[name="${name}"]`);
    if (!input || (input === document.activeElement && input.type === "number")) continue;
    if (input.type === "checkbox") input.checked = value;
    else input.value = value;
    input.dataset.value = value;
  }
}
