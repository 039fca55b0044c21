// Painting arrays: grey pictures, and values in two colours (blue above 0, orange below), in the theme's colours.

const SHADES = 255; // of each colour

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

/** The colours of values from -limit to limit, as 32-bit pixels. */
function paletteOf(theme) {
  const palette = new Uint32Array(2 * SHADES + 1);
  for (let shade = -SHADES; shade <= SHADES; shade++) palette[shade + SHADES] = pixelOf(colourOf(shade, SHADES, theme));
  return palette;
}

const pixelOf = ([red, green, blue]) => (255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red);

/** A canvas of this size in CSS pixels, painted pixel by pixel: tiles first, then `finish()` gives the context for lines and texts. */
export class Sheet {
  constructor(canvas, width, height, theme = colours()) {
    const ratio = window.devicePixelRatio || 1;
    [this.canvas, this.width, this.height] = [canvas, width, height];
    this.columns = Math.max(1, Math.round(width * ratio));
    this.rows = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== this.columns || canvas.height !== this.rows) {
      canvas.width = this.columns;
      canvas.height = this.rows;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.scale = [this.columns / width, this.rows / height];
    this.image = new ImageData(this.columns, this.rows);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.palette = paletteOf(theme);
  }

  /** Fill a rectangle with cells (rows x columns): pixel(index) is the colour of a cell. */
  cells(columns, rows, x, y, width, height, pixel) {
    const [left, top] = [Math.round(x * this.scale[0]), Math.round(y * this.scale[1])];
    const [right, bottom] = [Math.min(this.columns, Math.round((x + width) * this.scale[0])), Math.min(this.rows, Math.round((y + height) * this.scale[1]))];
    const line = new Uint32Array(columns), source = new Int32Array(Math.max(0, right - left));
    for (let i = 0; i < source.length; i++) source[i] = Math.min(columns - 1, Math.floor(((i + 0.5) * columns) / (width * this.scale[0])));
    for (let j = top, last = -1; j < bottom; j++) {
      const row = Math.min(rows - 1, Math.floor(((j - top + 0.5) * rows) / (height * this.scale[1])));
      if (row !== last) for (let column = 0; column < columns; column++) line[column] = pixel(row * columns + column);
      last = row;
      for (let i = 0, at = j * this.columns + left; i < source.length; i++) this.pixels[at + i] = line[source[i]];
    }
  }

  /** Values (rows x columns, from `offset` on), in two colours; limit is the value of the full colour. */
  heat(values, offset, columns, rows, limit, x, y, width, height) {
    const factor = SHADES / limit, { palette } = this;
    this.cells(columns, rows, x, y, width, height, (i) => palette[Math.max(-SHADES, Math.min(SHADES, Math.round(values[offset + i] * factor))) + SHADES]);
  }

  /** A picture (C, H, W) of bytes, from `offset` on. */
  picture(pixels, offset, [channels, height, width], x, y, across, down) {
    const [green, blue] = channels === 1 ? [0, 0] : [height * width, 2 * height * width];
    this.cells(width, height, x, y, across, down, (i) => pixelOf([pixels[offset + i], pixels[offset + green + i], pixels[offset + blue + i]]));
  }

  /** The context, whose coordinates are CSS pixels, above what was painted. */
  finish() {
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(this.image, 0, 0);
    context.setTransform(this.scale[0], 0, 0, this.scale[1], 0, 0);
    return context;
  }
}

/** An empty canvas of this size in CSS pixels; its context. */
export function sized(canvas, width, height) {
  return new Sheet(canvas, width, height).finish();
}

/** Paint one picture over a whole canvas of this size; its context. */
export function paintPicture(canvas, pixels, offset, shape, width, height = (width * shape[1]) / shape[2]) {
  const sheet = new Sheet(canvas, width, height);
  sheet.picture(pixels, offset, shape, 0, 0, width, height);
  return sheet.finish();
}
