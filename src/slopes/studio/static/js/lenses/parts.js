// Parts of frames: each is shown when it arrives, and asked for again when the frame that had it was dropped.

const ASK_MILLISECONDS = 300;

/** Let `show[name](values, arrays)` handle each part of the connection's frames; arrays are those of this part, by their own names. */
export function showParts(connection, show) {
  const versions = {};
  let asked = 0;
  connection.onsession = () => Object.keys(versions).forEach((name) => delete versions[name]);
  connection.onframe = ({ header, arrays }) => {
    const missing = [];
    for (const [name, version] of Object.entries(header.versions ?? {})) {
      if (name in header) {
        versions[name] = version;
        const own = {};
        for (const [key, array] of Object.entries(arrays)) if (key.startsWith(`${name}.`)) own[key.slice(name.length + 1)] = array;
        show[name]?.(header[name], own);
      } else if (version && versions[name] !== version) missing.push(name);
    }
    if (missing.length && performance.now() - asked > ASK_MILLISECONDS) {
      asked = performance.now();
      connection.send("missing", { parts: missing });
    }
  };
}

/** Call a function at most once per redraw, with its latest arguments. */
export function perRedraw(action) {
  let latest = null, waiting = false;
  return (...args) => {
    latest = args;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      action(...latest);
    });
  };
}
