// Planes of bytes as pictures.

import { classColour, valueTable } from "./colour.js";

const small = document.createElement("canvas");

/** Draw a plane (side x side bytes) into a rectangle of a canvas. */
export function drawPlane(context, bytes, side, x, y, width, height, { discrete = false, smooth = false, pale = false } = {}) {
  const table = valueTable(discrete, pale);
  paint(context, side, x, y, width, height, smooth, (pixels) => {
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[bytes[i]];
  });
}

/** Draw a plane of classes with how certain each is. */
export function drawClasses(context, classes, certainty, side, x, y, width, height, { discrete = false } = {}) {
  const tables = new Map();
  paint(context, side, x, y, width, height, false, (pixels) => {
    for (let i = 0; i < pixels.length; i++) {
      const level = discrete ? 200 : certainty[i] & 0xf8, key = (classes[i] << 8) | level;
      let colour = tables.get(key);
      if (colour === undefined) tables.set(key, (colour = classColour(classes[i], level)));
      pixels[i] = colour;
    }
  });
}

function paint(context, side, x, y, width, height, smooth, fill) {
  if (small.width !== side || small.height !== side) small.width = small.height = side;
  const inner = small.getContext("2d", { willReadFrequently: false });
  const image = inner.createImageData(side, side);
  fill(new Uint32Array(image.data.buffer));
  inner.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.drawImage(small, 0, 0, side, side, x, y, width, height);
}

/** Give a canvas the pixels of its size on the screen; returns its context in CSS pixels, with width and height. */
export function fit(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1), width = canvas.clientWidth, height = canvas.clientHeight;
  const across = Math.max(1, Math.round(width * ratio)), down = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
