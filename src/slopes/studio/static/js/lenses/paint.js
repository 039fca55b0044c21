// Painting arrays: grey pictures, and values in two colours (blue above 0, orange below), in the theme's colours.

const scratch = document.createElement("canvas");

/** The theme's colours as [red, green, blue], and as text. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const rgb = (name) => [1, 3, 5].map((at) => parseInt(read(name).slice(at, at + 2), 16));
  const names = { zero: "--panel", above: "--blue-strong", below: "--orange-strong", text: "--text", quiet: "--quiet", line: "--line", blue: "--blue", orange: "--orange" };
  const result = {};
  for (const [key, name] of Object.entries(names)) {
    result[key] = read(name);
    result[`${key}Rgb`] = rgb(name);
  }
  return result;
}

/** The largest absolute value of an array, at least `least`. */
export function limitOf(values, least = 1e-6) {
  let limit = least;
  for (const value of values) limit = Math.max(limit, Math.abs(value));
  return limit;
}

/** The colour of a value as [red, green, blue]; limit: the value of the full colour. */
export function colourOf(value, limit, theme) {
  const share = Math.min(1, Math.abs(value) / limit), full = value < 0 ? theme.belowRgb : theme.aboveRgb;
  return theme.zeroRgb.map((zero, i) => zero + (full[i] - zero) * share);
}

/** Values (height x width, from `offset` on) as an image of their own size. */
export function heatImage(values, offset, width, height, limit, theme) {
  const image = new ImageData(width, height), data = image.data, { zeroRgb: zero, aboveRgb: above, belowRgb: below } = theme;
  for (let i = 0; i < width * height; i++) {
    const value = values[offset + i], share = Math.min(1, Math.abs(value) / limit), full = value < 0 ? below : above;
    for (let c = 0; c < 3; c++) data[4 * i + c] = zero[c] + (full[c] - zero[c]) * share;
    data[4 * i + 3] = 255;
  }
  return image;
}

/** Pixels (C, H, W) of bytes, from `offset` on, as an image of their own size. */
export function pictureImage(pixels, offset, [channels, height, width]) {
  const image = new ImageData(width, height), area = width * height;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[offset + (channels === 1 ? 0 : c) * area + i];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** Draw an image scaled, its pixels sharp. */
export function drawScaled(context, image, x, y, width, height) {
  if (scratch.width < image.width || scratch.height < image.height) {
    scratch.width = Math.max(scratch.width, image.width);
    scratch.height = Math.max(scratch.height, image.height);
  }
  scratch.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, image.width, image.height, x, y, width, height);
}

/** A canvas of this size in CSS pixels; its context, scaled so that coordinates are CSS pixels. */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(pixelWidth / width, 0, 0, pixelHeight / height, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Paint one picture over a whole canvas of this size. */
export function paintPicture(canvas, pixels, offset, shape, width, height = (width * shape[1]) / shape[2]) {
  const context = sized(canvas, width, height);
  drawScaled(context, pictureImage(pixels, offset, shape), 0, 0, width, height);
  return context;
}
