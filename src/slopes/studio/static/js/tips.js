// Tooltips: an element with data-tip (what it does) and perhaps data-docs (a section of the docs) shows them on hover and on focus.

import { fill, h } from "./dom.js";

const DELAY = 350;

/** The attributes of an element that has an entry in the help of a page: tips("playground", table)("rate"). */
export const tips = (page, table) => (name) => ({ "data-tip": table[name][0], "data-docs": `${page}.${name}` });

export function startTips() {
  const box = h("div", { id: "tip", class: "tip", role: "tooltip", hidden: true });
  document.body.append(box);
  let owner = null, timer = 0;
  const hide = () => {
    clearTimeout(timer);
    owner?.removeAttribute("aria-describedby");
    owner = null;
    box.hidden = true;
  };
  const show = (element, delay) => {
    if (element === owner) return;
    hide();
    owner = element;
    timer = setTimeout(() => {
      if (!element.isConnected) return hide();
      fill(box, h("span", {}, element.dataset.tip), element.dataset.docs && h("a", { href: `/#help?${element.dataset.docs}`, target: "_blank", rel: "noopener" }, "more"));
      box.hidden = false;
      element.setAttribute("aria-describedby", "tip");
      put(box, element.getBoundingClientRect());
    }, delay);
  };
  const owned = (target) => target instanceof Element && (target.closest("[data-tip]") || (target.closest("#tip") && owner));
  document.addEventListener("pointerover", (event) => {
    const element = owned(event.target);
    if (element) show(element, DELAY);
    else if (owner) timer = setTimeout(hide, 150);
  });
  document.addEventListener("focusin", (event) => {
    const element = owned(event.target);
    if (element && element.matches(":focus-visible")) show(element, 0);
  });
  document.addEventListener("focusout", (event) => owned(event.relatedTarget) || hide());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("pointerdown", (event) => event.target.closest?.("#tip") || hide());
}

function put(box, anchor) {
  const gap = 6, { offsetWidth: width, offsetHeight: height } = box;
  const below = anchor.bottom + gap + height < innerHeight;
  box.style.left = `${Math.max(gap, Math.min(anchor.left, innerWidth - width - gap))}px`;
  box.style.top = `${below ? anchor.bottom + gap : Math.max(gap, anchor.top - gap - height)}px`;
}
