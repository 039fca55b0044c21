// Colours of values and classes, for the theme that is on.

const ENDS = {
  light: { low: [222, 120, 10], middle: [246, 247, 249], high: [10, 115, 186] },
  dark: { low: [242, 144, 43], middle: [33, 40, 48], high: [64, 160, 230] },
};

// Okabe and Ito's colours for classes, which colour-blind people tell apart; the first two are those of values.
export const CLASSES = ["#de780a", "#0a73ba", "#009e73", "#cc79a7", "#b8a500", "#56b4e9", "#8a5a3c", "#777f8a"];

export const theme = () => document.documentElement.dataset.theme || "light";
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const tables = {};

/** 256 colours as RGBA numbers: orange for -1 (0), neutral for 0 (127), blue for 1 (255); discrete: only the ends; pale: behind points. */
export function valueTable(discrete = false, pale = false) {
  const key = `${theme()}${discrete}${pale}`, most = pale ? 0.62 : 1;
  return (tables[key] ??= Uint32Array.from({ length: 256 }, (_, i) => pack(blend(most * (discrete ? (i < 128 ? -0.8 : 0.8) : (i - 127.5) / 127.5)))));
}

/** The colour of a value from -1 to 1 as [r, g, b]. */
export function blend(share) {
  const { low, middle, high } = ENDS[theme()];
  const end = share < 0 ? low : high, part = Math.min(1, Math.abs(share));
  return middle.map((value, i) => Math.round(value + (end[i] - value) * part));
}

/** The colour of a class, paler where the network is less certain (0 to 255). */
export function classColour(label, certainty) {
  const colour = rgb(CLASSES[label % CLASSES.length]), { middle } = ENDS[theme()], part = 0.15 + (0.47 * certainty) / 255;
  return pack(middle.map((value, i) => Math.round(value + (colour[i] - value) * part)));
}

export const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const pack = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
