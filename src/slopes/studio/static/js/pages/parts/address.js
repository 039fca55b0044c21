// Settings of the playground as text in the address: only what differs from the defaults.

const SCALE = 1000; // own points have three decimals
export const MOST_LINK_POINTS = 1500;

/** Settings, and what else restores the page, as a query text. */
export function encode(settings, defaults, more = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(settings)) {
    if (JSON.stringify(value) === JSON.stringify(defaults[name])) continue;
    if (name === "layers") query.set(name, value.map(layerText).join(","));
    else if (name === "features") query.set(name, value.join(","));
    else if (name === "points") query.set(name, value.length <= MOST_LINK_POINTS ? pointText(value) : "");
    else query.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) if (value !== undefined && value !== "") query.set(name, value);
  return query.toString();
}

/** { settings, more }: what the text says, everything else as in the defaults; wrong parts are left out. */
export function decode(text, defaults) {
  const settings = structuredClone(defaults), more = {};
  for (const [name, value] of new URLSearchParams(text)) {
    try {
      if (!(name in defaults)) more[name] = value;
      else if (name === "layers") settings.layers = value ? value.split(",").map(layerOf) : [];
      else if (name === "features") settings.features = value.split(",");
      else if (name === "points") settings.points = pointsOf(value);
      else if (typeof defaults[name] === "number") settings[name] = Number.isFinite(+value) ? +value : defaults[name];
      else settings[name] = value;
    } catch {
      settings[name] = defaults[name];
    }
  }
  return { settings, more };
}

const layerText = ({ width, activation, batch_norm: norm, dropout }) => [width, activation, norm && "bn", dropout && `d${dropout}`].filter(Boolean).join(".");

function layerOf(text) {
  const [width, activation, ...rest] = text.split(/\.(?!\d)/);
  const drop = rest.find((part) => /^d\d/.test(part));
  return { width: +width, activation: activation ?? "tanh", batch_norm: rest.includes("bn"), dropout: drop ? +drop.slice(1) : 0 };
}

function pointText(points) {
  const bytes = new Uint8Array(Int16Array.from(points.flat().map((value) => Math.round(value * SCALE))).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function pointsOf(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/")), bytes = Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  const values = Array.from(new Int16Array(bytes.buffer), (value) => value / SCALE);
  return Array.from({ length: Math.floor(values.length / 3) }, (_, i) => values.slice(3 * i, 3 * i + 3));
}

/** Changes by hand as text, and back. */
export const changesText = (changes) => changes.map(({ step, layer, row, column, value }) => [step, layer, row, column, value].join("_")).join(",");
export const changesOf = (text) => (text ? text.split(",").map((part) => {
  const [step, layer, row, column, value] = part.split("_").map(Number);
  return { step, layer, row, column, value };
}) : []);

/** A unit as text, LAYER.INDEX from 1 on, and back: null where the network has no such unit. */
export const unitText = ({ layer, index }) => `${layer}.${index + 1}`;
export function unitOf(text, widths) {
  const [layer, number] = (text ?? "").split(".").map(Number);
  return layer >= 1 && number >= 1 && Number.isInteger(layer) && Number.isInteger(number) && number <= widths[layer] ? { layer, index: number - 1 } : null;
}
