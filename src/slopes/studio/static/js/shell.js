// The shell: which page is shown, its connection, the theme, errors and tooltips.

import { Connection } from "./connection.js";
import { fill, h } from "./dom.js";
import { startTips } from "./tips.js";

const SECONDS_SHOWN = 12;
const HELP = { name: "help", title: "Help" };
let pages = [], current = null;

/** "#playground?state" as { page, state }. */
function route() {
  const [page, ...state] = location.hash.slice(1).split("?");
  return { page: [...pages, HELP].some((known) => known.name === page) ? page : pages[0].name, state: state.join("?") };
}

async function show() {
  const { page, state } = route();
  if (current?.page === page) {
    if (current.state !== state) current.shown?.restore?.(state);
    current.state = state;
    return;
  }
  current?.shown?.close?.();
  current?.connection.close();
  const connection = new Connection(page, token());
  const mine = (current = { page, state, connection });
  connection.onerror = showError;
  connection.onstate = (text) => fill(document.getElementById("link"), text);
  for (const link of document.querySelectorAll("#pages a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${[...pages, HELP].find((known) => known.name === page).title} · slopes studio`;
  addStyle(page);
  const { mount } = await import(`./pages/${page}.js`);
  if (current !== mine) return;
  const root = fill(document.getElementById("main"));
  root.className = `page ${page}`;
  mine.shown = await mount(root, connection, {
    state,
    pages,
    /** Keep the page's state in the address. */
    setState(text) {
      mine.state = text;
      history.replaceState(null, "", `#${page}${text ? `?${text}` : ""}`);
    },
    /** The address that restores the page, without the token. */
    link: () => location.href.split("?token")[0].split("#")[0] + location.hash,
    notify: (text) => notify(text),
  });
  if (page !== HELP.name) connection.open();
}

/** The page's own style sheet. */
function addStyle(page) {
  const href = `/static/css/${page}.css`;
  if (!document.querySelector(`link[href="${href}"]`)) document.head.append(h("link", { rel: "stylesheet", href }));
}

/** The token of the address, which then no longer shows it. */
function token() {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    sessionStorage.setItem("slopes-token", given);
    history.replaceState(null, "", location.pathname + location.hash);
  }
  return sessionStorage.getItem("slopes-token") || "";
}

/** An error in its four parts. */
export function showError({ what, where, why, repair }) {
  const box = h("div", { class: "message error" }, h("p", {}, h("b", {}, what)), [why, repair, where].filter(Boolean).map((part) => h("p", {}, part)));
  addMessage(box);
}

/** A short remark, such as "copied". */
export function notify(text) {
  addMessage(h("div", { class: "message" }, h("p", {}, text)), 3);
}

function addMessage(box, seconds = SECONDS_SHOWN) {
  const list = document.getElementById("messages");
  const text = box.textContent;
  for (const other of list.children) if (other.firstChild.textContent === text) other.remove();
  const outer = h("div", {}, box);
  box.append(h("button", { type: "button", class: "plain close", "aria-label": "Close this message", onclick: () => outer.remove() }, "×"));
  outer.firstChild.dataset.text = text;
  list.append(outer);
  while (list.children.length > 4) list.firstChild.remove();
  setTimeout(() => outer.remove(), seconds * 1000);
}

function startTheme() {
  const button = document.getElementById("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = localStorage.getItem("slopes-theme") || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀" : "☾";
    document.dispatchEvent(new CustomEvent("theme"));
  };
  button.addEventListener("click", () => {
    localStorage.setItem("slopes-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

async function start() {
  startTheme();
  startTips();
  token();
  pages = await (await fetch("/pages")).json();
  fill(document.getElementById("pages"), [...pages, HELP].map(({ name, title }) => h("a", { href: `#${name}`, "data-page": name }, title)));
  window.addEventListener("hashchange", show);
  await show();
}

start().catch((error) => showError({ what: `the page could not start: ${error.message}`, repair: "reload it" }));
