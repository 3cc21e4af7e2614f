// Looks at one picture, or at several that are linked: they share zoom, place and window. Pictures come as data URLs,
// and nothing is asked of any server; turning to another picture is asked of the page, which answers with new data.

const FULL = { centre: 128, width: 256 }; // of 8 bits: what is stored is shown as it is
const MOST = 32;
const STEP = 1.25;
const LATE = 2000; // milliseconds after which an answer counts even if it is not the one that was asked for
const HELP = "Scroll or pinch to zoom, drag to move, drag with the right button to change window and level.";
const KEYS = " Keys: + and − zoom, Shift and arrows move, 0 fits, R resets the window.";
const TURNING = " ← and → lead to the previous and the next picture.";

const viewers = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let viewer = viewers.get(parentElement);
  if (!viewer) viewers.set(parentElement, (viewer = new Viewer(parentElement)));
  viewer.turn = (place) => setTriggerValue("turn", place);
  viewer.show(data);
  return () => {
    viewer.end();
    viewers.delete(parentElement);
  };
}

const between = (low, value, high) => Math.min(Math.max(value, low), high);

/** Grey levels 0 to 255 as a window shows them: DICOM PS3.3, C.11.2.1.2.1, the linear function. */
function shades(centre, width) {
  const low = centre - 0.5 - (width - 1) / 2;
  return Uint8ClampedArray.from({ length: 256 }, (_, value) => (width > 1 ? ((value - low) / (width - 1)) * 255 : value > low ? 255 : 0));
}

/** Whether a key may be one that a page listens to, and is none that is written with or leads out of the viewer. */
function shortcut({ key, target }) {
  return !target.closest?.("input, textarea, select") && (key.length === 1 || key.startsWith("Arrow") || key === "Backspace");
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.panes = [];
    this.view = { zoom: 1, x: 0.5, y: 0.5, ...FULL };
    this.drags = "moves";
    this.pointers = new Map();
    this.place = this.wanted = this.count = 0;
    this.asked = -LATE;
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage);
    // the page behind has keys of its own: one that is meant for the picture must answer no quiz
    this.keep = (event) => shortcut(event) && event.stopPropagation();
    this.listen();
  }

  end() {
    document.body.removeEventListener("keydown", this.keep);
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  element(name) {
    return this.root.querySelector(`.${name}`);
  }

  // What is shown

  show(data) {
    const first = !this.panes.length;
    this.place = data.at;
    this.count = data.count;
    if (data.at === this.wanted || performance.now() - this.asked > LATE) this.wanted = data.at;
    this.stage.setAttribute("aria-label", data.label);
    this.element("help").textContent = HELP + (data.count > 1 ? TURNING : "") + KEYS;
    this.element("turning").classList.toggle("alone", data.count < 2);
    if (this.panes.length !== data.panes.length) {
      this.panes = data.panes.map(() => pane());
      this.stage.replaceChildren(...this.panes.map((each) => each.figure));
    }
    data.panes.forEach((given, number) => this.fill(this.panes[number], given));
    this.tell();
    if (first && data.focus) this.stage.focus({ preventScroll: true });
  }

  fill(pane, given) {
    pane.name.textContent = given.name;
    pane.canvas.setAttribute("aria-label", given.alt);
    pane.figure.classList.toggle("gone", !given.url);
    if (pane.url === given.url) return;
    pane.url = given.url;
    const image = new Image();
    image.onload = () => {
      if (pane.url !== given.url) return; // another one was asked for meanwhile
      pane.source.width = image.naturalWidth;
      pane.source.height = image.naturalHeight;
      const context = pane.source.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      pane.pixels = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
      pane.canvas.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
      pane.windowed = "";
      this.draw();
    };
    if (given.url) image.src = given.url;
    else pane.pixels = undefined;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.hold();
      for (const pane of this.panes) if (pane.pixels) paint(pane, this.view);
      this.tell();
    });
  }

  /** Keeps the picture in sight: at its edge it goes no further. */
  hold() {
    const { view } = this;
    const pane = this.panes.find((each) => each.pixels);
    if (!pane) return;
    const { width, height, scale } = measures(pane, view.zoom);
    const half = (window, whole) => Math.min(0.5, window / (2 * whole * scale));
    const across = half(width, pane.source.width);
    const down = half(height, pane.source.height);
    view.x = between(across, view.x, 1 - across);
    view.y = between(down, view.y, 1 - down);
  }

  /** What stands beside the picture: numbers, sliders and which buttons can be pressed. */
  tell() {
    const { view } = this;
    const there = `${this.place + 1} of ${this.count}`;
    if (this.element("place").textContent !== there) this.element("place").textContent = there;
    this.element("zoom").textContent = `×${view.zoom.toFixed(view.zoom < 10 ? 1 : 0)}`;
    for (const [name, key] of [["width", "width"], ["level", "centre"]]) {
      const value = Math.round(view[key]);
      this.element(name).value = value;
      this.element(`told-${name}`).textContent = value;
    }
    this.usable("previous", this.wanted > 0);
    this.usable("next", this.wanted < this.count - 1);
    this.usable("out", view.zoom > 1);
    this.usable("in", view.zoom < MOST);
    for (const name of ["moves", "windows"]) this.element(name).setAttribute("aria-pressed", this.drags === name);
    this.stage.classList.toggle("windowing", this.drags === "windows");
  }

  usable(name, can) {
    const button = this.element(name);
    // the keyboard would be nowhere once the button that it stands on goes grey
    if (!can && this.root.activeElement === button) this.stage.focus({ preventScroll: true });
    button.disabled = !can;
  }

  // What somebody does

  listen() {
    const { stage } = this;
    const on = (name, act) => this.element(name).addEventListener("click", act);
    on("previous", () => this.go(-1));
    on("next", () => this.go(1));
    on("out", () => this.zoom(1 / STEP));
    on("in", () => this.zoom(STEP));
    on("fit", () => this.fit());
    on("reset", () => this.window(FULL.centre, FULL.width));
    for (const name of ["moves", "windows"])
      on(name, () => {
        this.drags = name;
        this.tell();
      });
    this.element("width").addEventListener("input", (event) => this.window(this.view.centre, +event.target.value));
    this.element("level").addEventListener("input", (event) => this.window(+event.target.value, this.view.width));
    this.element("viewer").addEventListener("keydown", (event) => this.key(event));
    document.body.addEventListener("keydown", this.keep);
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", () => this.fit());
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
  }

  go(steps) {
    const wanted = between(0, this.wanted + steps, this.count - 1);
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    this.asked = performance.now();
    this.tell();
    this.turn(wanted);
  }

  fit() {
    Object.assign(this.view, { zoom: 1, x: 0.5, y: 0.5 });
    this.draw();
  }

  window(centre, width) {
    this.view.centre = between(0, centre, 255);
    this.view.width = between(1, width, 512);
    this.draw();
  }

  /** Zooms about a point of the window, `across` and `down` from the middle of a pane in CSS pixels. */
  zoom(times, across = 0, down = 0) {
    const { view } = this;
    const zoom = between(1, view.zoom * times, MOST);
    const before = this.pixel();
    view.zoom = zoom;
    const after = this.pixel();
    this.shift(across * (1 / before.scale - 1 / after.scale), down * (1 / before.scale - 1 / after.scale), after);
  }

  /** Moves what is in the middle by so many pixels of the picture. */
  shift(across, down, { width, height }) {
    this.view.x += across / width;
    this.view.y += down / height;
    this.draw();
  }

  /** Size of the picture, and CSS pixels for each of its pixels. */
  pixel() {
    const pane = this.panes.find((each) => each.pixels) ?? this.panes[0];
    const { scale } = measures(pane, this.view.zoom);
    return { scale: scale || 1, width: pane.source.width, height: pane.source.height };
  }

  from(event) {
    const figure = event.target.closest?.("figure") ?? this.panes[0].figure;
    const box = figure.querySelector("canvas").getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1; // Firefox counts in lines
    this.zoom(Math.exp(-between(-120, event.deltaY * lines, 120) / 500), ...this.from(event));
  }

  press(event) {
    this.stage.focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, right: event.button === 2 });
  }

  move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    const others = [...this.pointers.entries()].filter(([id]) => id !== event.pointerId).map(([, each]) => each);
    const [across, down] = [event.clientX - pointer.x, event.clientY - pointer.y];
    const apart = (a, b) => Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1);
    const before = others.length && apart(pointer, others[0]);
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    if (others.length) {
      const now = this.pixel();
      this.shift(-across / 2 / now.scale, -down / 2 / now.scale, now);
      this.zoom(apart(pointer, others[0]) / before);
    } else if (pointer.right || this.drags === "windows") {
      // to the right the window gets wider, downwards its centre higher, which is darker
      const each = 256 / Math.max(this.panes[0].canvas.clientWidth, 1);
      this.window(this.view.centre + down * each, this.view.width + across * each);
    } else {
      const now = this.pixel();
      this.shift(-across / now.scale, -down / now.scale, now);
    }
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.target.type === "range") return;
    if (arrow && event.shiftKey) {
      const now = this.pixel();
      this.shift((arrow[0] * 40) / now.scale, (arrow[1] * 40) / now.scale, now);
    } else if (arrow && arrow[0] && this.count > 1) this.go(arrow[0]);
    else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.fit();
    else if (event.key.toLowerCase() === "r") this.window(FULL.centre, FULL.width);
    else return;
    event.preventDefault();
  }
}

function pane() {
  const make = (tag, name) => Object.assign(document.createElement(tag), { className: name });
  const figure = make("figure", "");
  const canvas = make("canvas", "");
  canvas.setAttribute("role", "img");
  const gone = Object.assign(make("div", "gone-note"), { textContent: "The file of this picture is gone." });
  const name = make("figcaption", "");
  figure.append(canvas, gone, name);
  return { figure, canvas, name, source: document.createElement("canvas"), url: "", windowed: "" };
}

/** Size of a pane's window in CSS pixels, and CSS pixels for each pixel of its picture. */
function measures({ canvas, source }, zoom) {
  const { clientWidth: width, clientHeight: height } = canvas;
  return { width, height, scale: zoom * Math.min(width / source.width, height / source.height) };
}

function paint(pane, view) {
  const { canvas, source, pixels } = pane;
  const windowed = `${view.centre} ${view.width}`;
  if (pane.windowed !== windowed) {
    const shade = shades(view.centre, view.width);
    const shown = new ImageData(new Uint8ClampedArray(pixels.data), pixels.width);
    for (let at = 0; at < shown.data.length; at += 4)
      for (let channel = at; channel < at + 3; channel++) shown.data[channel] = shade[pixels.data[channel]];
    source.getContext("2d").putImageData(shown, 0, 0);
    pane.windowed = windowed;
  }
  const dense = window.devicePixelRatio || 1;
  const { width, height, scale } = measures(pane, view.zoom);
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  const context = canvas.getContext("2d");
  const times = scale * dense;
  context.imageSmoothingEnabled = times < 1; // enlarged pixels are shown as they are
  const [left, top] = [canvas.width / 2 - view.x * source.width * times, canvas.height / 2 - view.y * source.height * times];
  context.drawImage(source, left, top, source.width * times, source.height * times);
  Object.assign(canvas.dataset, { zoom: view.zoom, x: view.x, y: view.y, centre: view.centre, width: view.width });
}
