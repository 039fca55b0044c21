// The help: what every control does.

import { h } from "../dom.js";

export async function mount(root, connection, { state, pages }) {
  const tables = await Promise.all(pages.filter((page) => page.help).map(async (page) => [page, (await import(`../help/${page.name}.js`)).default]));
  root.append(h("h1", {}, "What every control does"), ...tables.map(([page, table]) => h("section", { class: "panel help" }, h("h2", {}, page.title), h("dl", {},
    Object.entries(table).map(([name, [tip, more]]) => [h("dt", { id: `${page.name}.${name}`, tabindex: "-1" }, words(name)), h("dd", {}, tip, more && h("span", { class: "quiet" }, ` ${more}`))])))));
  const target = document.getElementById(state);
  target?.scrollIntoView({ block: "center" });
  target?.focus();
}

const words = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
