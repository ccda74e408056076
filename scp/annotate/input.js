// Mouse, touch and keyboard.

const NEAR = { mouse: 9, pen: 12, touch: 26 }; // CSS pixels around a point that belong to it
const STILL = { mouse: 3, pen: 4, touch: 8 }; // a press that moves less is a click
const SMALL = 0.1; // pixels of the image an arrow key moves a point
const STEP = 12; // CSS pixels it moves the crosshair
const fingers = new Map(); // pointers that are down: place on the stage
let press = null; // what the first of them does
let pinch = null;

// The middle of the screen's pixel that the mouse points at; fingers have no pixel.
function placeOf(event) {
  const box = stage.getBoundingClientRect();
  const half = event.pointerType === "mouse" ? 0.5 / (window.devicePixelRatio || 1) : 0;
  return { x: event.clientX - box.left + half, y: event.clientY - box.top + half };
}

function nearest(s, radius) {
  let best = null;
  for (const [k, p] of points[at.image].entries()) {
    if (!isPlaced(p)) continue;
    const q = toScreen(p);
    const apart = Math.hypot(q.x - s.x, q.y - s.y) - (k === at.landmark ? 4 : 0);
    if (apart <= radius && (best === null || apart < best.apart)) best = { k, apart };
  }
  return best && best.k;
}

stage.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button > 1) return;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  const s = placeOf(event);
  fingers.set(event.pointerId, s);
  if (fingers.size === 2) {
    cancelDrag();
    press = null;
    pinch = spread();
  }
  if (fingers.size !== 1) return;
  const kind = event.pointerType;
  const k = event.button === 1 ? null : nearest(s, NEAR[kind] ?? NEAR.mouse);
  const p = k === null ? null : points[at.image][k];
  press = { start: s, last: s, k, p, kind, moved: false, middle: event.button === 1 };
  event.preventDefault();
});

stage.addEventListener("pointermove", (event) => {
  const s = placeOf(event);
  showPointer(s);
  if (!fingers.has(event.pointerId)) return;
  fingers.set(event.pointerId, s);
  if (pinch && fingers.size === 2) return movePinch();
  if (!press) return;
  const apart = Math.hypot(s.x - press.start.x, s.y - press.start.y);
  if (!press.moved && apart < (STILL[press.kind] ?? STILL.mouse)) return;
  press.moved = true;
  if (press.k === null) {
    pan(s.x - press.last.x, s.y - press.last.y);
  } else {
    drag(s);
  }
  press.last = s;
  draw();
});

// The point keeps its distance from the finger, which does not hide it. What is seen while it moves
// is one step of undo, taken when it is let go.
function drag(s) {
  const dx = (s.x - press.start.x) / view.scale;
  const dy = (s.y - press.start.y) / view.scale;
  const { width, height } = image();
  at.landmark = press.k;
  points[at.image][press.k] = {
    x: inside(press.p.x + dx, width),
    y: inside(press.p.y + dy, height),
    source: sourceFor(at.image, press.k),
  };
}

function cancelDrag() {
  if (press && press.k !== null && press.moved) points[at.image][press.k] = press.p;
}

function up(event) {
  fingers.delete(event.pointerId);
  if (fingers.size < 2) pinch = null;
  const done = press;
  press = null;
  if (!done) return;
  if (event.type === "pointercancel") {
    press = done;
    cancelDrag();
    press = null;
    changed();
  } else if (done.moved && done.k !== null) {
    const { x, y } = points[at.image][done.k];
    points[at.image][done.k] = done.p;
    place(x, y, "drag", done.k);
  } else if (!done.moved && !done.middle) {
    click(done);
  }
}
stage.addEventListener("pointerup", up);
stage.addEventListener("pointercancel", up);
stage.addEventListener("contextmenu", (event) => event.preventDefault());

// A click sets the landmark that is selected, unless a person has said where it is.
function click({ start, k }) {
  const now = current();
  if (k !== null && (isPlaced(now) || isDecided(now)) && k !== at.landmark) {
    goTo(at.image, k);
  } else if (!isDecided(now)) {
    const { x, y } = toImage(start);
    place(x, y);
    if (part("advance").checked) goOn();
  } else {
    changed(`${landmarks[at.landmark]} is ${describe(now)}: drag it, or reset it first`);
  }
}

function goOn() {
  const said = part("status").textContent;
  const k = nextOpen();
  if (k !== null) goTo(at.image, k, `${said}; next: ${landmarks[k]}`);
  else changed(`${said}; all points of this image are decided`);
}

function spread() {
  const [a, b] = [...fingers.values()];
  return {
    x: (a.x + b.x) / 2,
    y: (a.y + b.y) / 2,
    apart: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1),
  };
}

function movePinch() {
  const now = spread();
  pan(now.x - pinch.x, now.y - pinch.y);
  zoom(now.apart / pinch.apart, now.x, now.y);
  pinch = now;
  draw();
}

stage.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const s = placeOf(event);
    const lines = event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 300 : 1;
    const by = Math.max(-300, Math.min(300, event.deltaY * lines));
    zoom(Math.exp(-by * (event.ctrlKey ? 0.01 : 0.002)), s.x, s.y);
    showPointer(s);
    draw();
  },
  { passive: false },
);

function showPointer(s) {
  const { x, y } = toImage(s);
  const percent = Math.round(view.scale * (window.devicePixelRatio || 1) * 100);
  part("pointer").textContent = `${x.toFixed(1)}, ${y.toFixed(1)} · ${percent} %`;
}

// ---- keyboard ----

// Arrows move the point; where there is none, a crosshair, which Enter makes a point.
function arrow(dx, dy, event) {
  const now = current();
  if (isPlaced(now)) {
    const by = event.ctrlKey || event.metaKey ? 10 : event.shiftKey ? 1 : SMALL;
    place(now.x + dx * by, now.y + dy * by, "nudge");
    reveal(current());
    return;
  }
  const by = ((event.shiftKey ? 5 : 1) * STEP) / view.scale;
  const from = crosshair();
  const { width, height } = image();
  show.cross = { x: inside(from.x + dx * by, width), y: inside(from.y + dy * by, height) };
  reveal(show.cross);
  changed(`crosshair at ${show.cross.x.toFixed(1)}, ${show.cross.y.toFixed(1)}`);
}

function crosshair() {
  if (show.cross) return show.cross;
  const { width, height } = image();
  const from = usualPlace() || toImage(centre());
  return { x: inside(from.x, width), y: inside(from.y, height) };
}

function enter() {
  const now = current();
  if (!isPlaced(now) && !isDecided(now)) {
    if (!show.cross) {
      show.cross = crosshair();
      reveal(show.cross);
      changed("crosshair: move it with the arrows, Enter sets the point");
      return;
    }
    const { x, y } = show.cross;
    show.cross = null;
    place(x, y);
  } else if (!isDecided(now)) {
    accept();
    goOn();
  } else {
    goOn();
  }
}

function zoomPoint() {
  const p = isPlaced(current()) ? current() : show.cross || usualPlace();
  if (p) lookAt(p, Math.max(view.scale, 4 / (window.devicePixelRatio || 1)));
  else zoom(2);
  draw();
}

function zoomOne() {
  const scale = 1 / (window.devicePixelRatio || 1);
  zoom(scale / view.scale);
  draw();
}

function zoomBy(factor) {
  const p = isPlaced(current()) ? current() : show.cross;
  const s = p ? toScreen(p) : centre();
  const { width, height } = size();
  const seen = s.x > 0 && s.y > 0 && s.x < width && s.y < height;
  zoom(factor, ...(seen ? [s.x, s.y] : []));
  draw();
}

function toggle(id) {
  part(id).checked = !part(id).checked;
  part(id).dispatchEvent(new Event("change"));
}

// Keys, as they are shown, as events call them, and what they do.
const KEYS = [
  ["N, P", "next landmark, landmark before"],
  ["Page Down, Page Up", "next image, image before"],
  ["Arrows", "move the point by 0.1 pixels; with Shift 1, with Ctrl 10; without a point, a crosshair"],
  ["Enter", "set the point at the crosshair; accept a found point; go on to the next"],
  ["A, Shift A", "accept the found point, all found points of the image"],
  ["X", "the landmark is absent"],
  ["Delete", "reset the landmark to what it was"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["+, −, 0, 1", "zoom in, zoom out, fit, one to one"],
  ["Z", "zoom to the landmark"],
  ["I, L", "invert the picture, names at all points"],
  ["Ctrl S", "save"],
  ["H, ?", "this help"],
];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const DOES = {
  n: () => stepLandmark(1),
  p: () => stepLandmark(-1),
  PageDown: () => stepImage(1),
  PageUp: () => stepImage(-1),
  Enter: enter,
  a: (event) => accept(event.shiftKey),
  x: markAbsent,
  Delete: reset,
  Backspace: reset,
  "+": () => zoomBy(1.5),
  "=": () => zoomBy(1.5),
  "-": () => zoomBy(1 / 1.5),
  0: () => { fit(); draw(); },
  1: zoomOne,
  z: zoomPoint,
  i: () => toggle("invert"),
  l: () => toggle("names"),
  h: () => part("help").showModal(),
  "?": () => part("help").showModal(),
};

const ONCE = ["Enter", "a", "x"]; // a key that is held decides one point

document.addEventListener("keydown", (event) => {
  if (part("help").open || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.matches("input[type=range]") && (key in ARROWS || key.startsWith("Page"))) return;
  if (target.matches("button, summary, input") && (key === "Enter" || key === " ")) return;
  const command = event.ctrlKey || event.metaKey;
  let act = null;
  if (key in ARROWS) act = () => arrow(...ARROWS[key], event);
  else if (command && key === "z") act = event.shiftKey ? redo : undo;
  else if (command && key === "y") act = redo;
  else if (command && key === "s") act = save;
  else if (!command) act = DOES[key];
  if (!act) return;
  event.preventDefault();
  if (event.repeat && ONCE.includes(key)) return;
  act(event);
});
