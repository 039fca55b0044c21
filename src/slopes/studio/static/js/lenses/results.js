// What a classifier gets right and wrong: probabilities, the confusion matrix, and small pictures with captions.

import { fill, h } from "../dom.js";
import { colours, paintPicture } from "./paint.js";

/** The probabilities of the classes as bars; a click explains a class. tip: the attributes of the tooltip, whose text is each bar's own. */
export class Probabilities {
  constructor(explain, tip) {
    Object.assign(this, { explain, tip });
    this.element = h("div", { class: "bars" });
    this.bars = [];
  }

  show(classes) {
    this.bars = classes.map((name, label) => {
      const bar = h("i", {}), share = h("span", { class: "share" });
      const button = h("button", { type: "button", class: "plain", onclick: () => this.explain(label), ...this.tip, "data-tip": `Show what counts for ${name}: the saliency of this class` },
        h("span", { class: "name" }, name), h("span", { class: "track" }, bar), share);
      return { bar, share, button };
    });
    this.element.style.setProperty("--name", `${Math.min(14, Math.max(...classes.map((name) => name.length)) + 2)}ch`);
    fill(this.element, this.bars.map((entry) => entry.button));
  }

  update(probabilities, label, target) {
    let best = 0;
    probabilities.forEach((share, i) => (best = share > probabilities[best] ? i : best));
    this.bars.forEach(({ bar, share, button }, i) => {
      bar.style.width = `${(100 * (probabilities[i] ?? 0)).toFixed(1)}%`;
      share.textContent = `${(100 * (probabilities[i] ?? 0)).toFixed(probabilities[i] > 0.1 ? 0 : 1)} %`;
      button.classList.toggle("best", i === best);
      button.classList.toggle("right", i === label);
      button.setAttribute("aria-pressed", String(i === target));
    });
  }
}

/** The confusion matrix as a table, wrong cells coloured by their count. */
export class Matrix {
  constructor(tip) {
    this.element = h("div", { class: "matrix", tabindex: 0, role: "group", "aria-label": "confusion matrix", ...tip });
  }

  show(classes) {
    const long = classes.some((name) => name.length > 3), short = classes.map((name) => name.slice(0, 12));
    this.cells = classes.map((_, row) => classes.map((_, column) => h("td", { class: row === column ? "right" : "" })));
    fill(this.element, h("table", { class: long ? "long" : "" },
      h("caption", { class: "quiet" }, "rows: the class; columns: what it is taken for"),
      h("thead", {}, h("tr", {}, h("td", {}), short.map((name, i) => h("th", { scope: "col", title: classes[i] }, name)))),
      h("tbody", {}, classes.map((name, row) => h("tr", {}, h("th", { scope: "row", title: name }, short[row]), this.cells[row])))));
  }

  update(counts) {
    const size = this.cells.length, theme = colours();
    let most = 1;
    for (let i = 0; i < counts.length; i++) if (i % size !== Math.floor(i / size)) most = Math.max(most, counts[i]);
    this.cells.forEach((row, i) => row.forEach((cell, j) => {
      const count = counts[i * size + j];
      cell.textContent = count || "";
      const share = i === j ? 0 : 0.65 * Math.sqrt(count / most);
      cell.style.backgroundColor = share ? `rgb(${theme.belowRgb.join(" ")} / ${share.toFixed(2)})` : "";
    }));
  }
}

/** A button with a small picture; tip: the attributes of its tooltip. */
export function thumbnail(pixels, index, shape, size, caption, tip, click, box) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const context = paintPicture(canvas, pixels, index * shape[0] * shape[1] * shape[2], shape, size);
  if (box) frame(context, box, size / shape[2]);
  return h("button", { type: "button", class: "plain thumbnail", onclick: click, ...tip, "aria-label": `${caption}${caption && ": "}${tip["data-tip"]}` }, canvas, caption && h("span", {}, caption));
}

/** A frame around the pixels [top, left, bottom, right], the last included. */
export function frame(context, [top, left, bottom, right], scale) {
  context.strokeStyle = "#f2902b";
  context.lineWidth = 2;
  context.strokeRect(left * scale + 1, top * scale + 1, (right - left + 1) * scale - 2, (bottom - top + 1) * scale - 2);
}
