// What the browser remembers; in a frame of another page, such as a notebook, it may refuse to, and then the page itself remembers.

const memory = new Map();

/** The text under a key of "localStorage" or "sessionStorage", or null. */
export function stored(area, key) {
  try {
    return window[area].getItem(key);
  } catch {
    return memory.get(key) ?? null;
  }
}

export function store(area, key, text) {
  try {
    window[area].setItem(key, text);
  } catch {
    memory.set(key, text);
  }
}
