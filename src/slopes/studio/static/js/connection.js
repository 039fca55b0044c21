// The WebSocket of a page: messages out, frames in, and a new connection when it was lost.

import { decode } from "./frame.js";

const FORBIDDEN = 4403, TAKEN_OVER = 4409, FULL = 4429, TOO_MANY = 4400;
const SHOWN = '{"kind":"shown"}';

/**
 * connection.send(kind, fields)  send a message, which the server validates; false while there is no connection
 * connection.onsession = ({ resumed }) => ...   connected; resumed: the engine has kept its state
 * connection.onframe = ({ header, arrays }) => ...   a frame to show, or a reply (header without `frame`)
 * connection.onerror = ({ what, where, why, repair }) => ...
 * connection.onstate = (text) => ...   "" while connected, else what to say
 * connection.session            the id, for uploads
 */
export class Connection {
  constructor(page, token) {
    this.page = page;
    this.token = token;
    this.key = `slopes-session-${page}`;
    this.session = sessionStorage.getItem(this.key) || "";
    this.onsession = this.onframe = this.onerror = this.onstate = () => {};
    this.closed = false;
    this.wait = 250;
  }

  open() {
    const query = new URLSearchParams({ token: this.token, session: this.session });
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/${this.page}?${query}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.lost(event);
    this.socket = socket;
  }

  send(kind, fields = {}) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify({ kind, ...fields }));
    return true;
  }

  receive(data) {
    if (typeof data === "string") return this.receiveText(JSON.parse(data));
    const frame = decode(data);
    if (!("frame" in frame.header)) return this.onframe(frame);
    this.pending = frame; // only the newest is drawn
    if (this.drawing) return this.socket.send(SHOWN);
    this.drawing = true;
    const draw = () => {
      this.drawing = false;
      if (this.closed) return;
      try {
        this.onframe(this.pending);
      } finally {
        if (this.socket.readyState === WebSocket.OPEN) this.socket.send(SHOWN);
      }
    };
    if (document.hidden) setTimeout(draw, 200);
    else requestAnimationFrame(draw);
  }

  receiveText(message) {
    if (message.kind === "session") {
      this.session = message.id;
      sessionStorage.setItem(this.key, message.id);
      this.wait = 250;
      this.onstate("");
      this.onsession(message);
    } else if (message.kind === "error") {
      this.onerror(message);
    }
  }

  lost(event) {
    if (this.closed) return;
    if (event.code === TAKEN_OVER || event.code === FULL || event.code === TOO_MANY || event.code === FORBIDDEN) {
      this.onstate(event.reason || "the studio refused the connection: open the address that slopes play printed");
      return;
    }
    this.onstate("connection lost: trying again");
    setTimeout(() => this.closed || this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, 4000);
  }

  /** Send a file to the engine; resolves to "" or to why it was refused. */
  async upload(file) {
    const query = new URLSearchParams({ token: this.token, session: this.session, name: file.name });
    const response = await fetch(`/upload?${query}`, { method: "POST", body: file });
    return response.ok ? "" : response.text();
  }

  close() {
    this.closed = true;
    this.socket?.close();
  }
}
