// What is marked. A point is {x, y, source}, in pixels of the original image, pixel centres at
// integers; x and y are null where a person said that the landmark is absent; null: nobody said.
// hidden: the file it comes from says that something lies before it.
// Points are never changed in place: a point that is not the initial one was changed here.

const data = JSON.parse(document.getElementById("data").textContent);
const images = data.images;
const landmarks = data.landmarks;

const initial = images.map((image) =>
  image.points.map((p) => p && { x: p[0], y: p[1], source: p[2], hidden: p[3] }),
);
const points = initial.map((row) => [...row]);
const at = { image: 0, landmark: 0 };
const history = { done: [], undone: [] };
const MERGED = 1000; // ms within which nudges of a point are one step of undo

const listeners = []; // told of each change
function changed(said = "") {
  for (const listener of listeners) listener(said);
}

const current = () => points[at.image][at.landmark];
const image = () => images[at.image];
const isPlaced = (p) => p !== null && p.x !== null;
const isAbsent = (p) => p !== null && p.x === null;
const isDecided = (p) => p !== null && p.source !== "found";

// A person who changes what was found corrects it.
function sourceFor(i, k) {
  const before = initial[i][k];
  return before && before.source !== "marked" ? "corrected" : "marked";
}

function inside(value, length) {
  return Math.min(Math.max(value, -0.5), length - 0.5);
}

// One step: [[landmark, point], ...] of an image.
function apply(i, entries, kind) {
  const step = {
    image: i,
    kind,
    time: Date.now(),
    entries: entries.map(([k, after]) => ({ k, before: points[i][k], after })),
  };
  for (const { k, after } of step.entries) points[i][k] = after;
  const last = history.done.at(-1);
  const same =
    kind === "nudge" && last && last.kind === kind && last.image === i &&
    last.entries[0].k === step.entries[0].k && step.time - last.time < MERGED;
  if (same) {
    last.entries[0].after = step.entries[0].after;
    last.time = step.time;
  } else {
    history.done.push(step);
  }
  history.undone.length = 0;
}

function place(x, y, kind = "place", k = at.landmark) {
  const { width, height } = image();
  const { hidden = false } = points[at.image][k] ?? {};
  const p = { x: inside(x, width), y: inside(y, height), source: sourceFor(at.image, k), hidden };
  apply(at.image, [[k, p]], kind);
  changed(`${landmarks[k]} at ${p.x.toFixed(1)}, ${p.y.toFixed(1)}`);
}

function markAbsent() {
  const k = at.landmark;
  const p = { x: null, y: null, source: sourceFor(at.image, k), hidden: false };
  apply(at.image, [[k, p]], "absent");
  changed(`${landmarks[k]} is absent`);
}

function reset() {
  const k = at.landmark;
  if (points[at.image][k] === initial[at.image][k]) return;
  apply(at.image, [[k, initial[at.image][k]]], "reset");
  changed(`${landmarks[k]}: ${describe(current())}`);
}

// Found points that are right become the person's.
function accept(all = false) {
  const i = at.image;
  const rows = all ? [...landmarks.keys()] : [at.landmark];
  const entries = rows
    .filter((k) => points[i][k] && points[i][k].source === "found")
    .map((k) => [k, { ...points[i][k], source: "corrected" }]);
  if (!entries.length) return false;
  apply(i, entries, "accept");
  const what = entries.length === 1 ? landmarks[entries[0][0]] : `${entries.length} points`;
  changed(`${what} accepted`);
  return true;
}

function undo() {
  const step = history.done.pop();
  if (!step) return;
  history.undone.push(step);
  step.time = 0; // what follows is a step of its own
  revert(step, "before", "undone");
}

function redo() {
  const step = history.undone.pop();
  if (!step) return;
  history.done.push(step);
  revert(step, "after", "done again");
}

function revert(step, which, said) {
  for (const entry of step.entries) points[step.image][entry.k] = entry[which];
  at.image = step.image;
  at.landmark = step.entries[0].k;
  changed(`${said}: ${landmarks[at.landmark]}, ${describe(current())}`);
}

function describe(p) {
  if (p === null) return "not marked";
  if (isAbsent(p)) return "absent";
  return `${p.source} at ${p.x.toFixed(1)}, ${p.y.toFixed(1)}`;
}

function count(i, test) {
  return points[i].filter(test).length;
}

// The next landmark of this image that nobody decided, or null.
function nextOpen() {
  for (let step = 1; step <= landmarks.length; step++) {
    const k = (at.landmark + step) % landmarks.length;
    if (!isDecided(points[at.image][k])) return k;
  }
  return null;
}

// Where the landmark usually is: the mean place, as a share of the image, in the images where a
// person marked it; as a point of the current image, or null.
function usualPlace(k = at.landmark) {
  let [x, y, n] = data.usual[k] || [0, 0, 0];
  for (const [i, other] of images.entries()) {
    const p = points[i][k];
    if (i === at.image || !isPlaced(p) || !isDecided(p)) continue;
    x += (p.x + 0.5) / other.width;
    y += (p.y + 0.5) / other.height;
    n += 1;
  }
  const { width, height } = image();
  return n ? { x: (x / n) * width - 0.5, y: (y / n) * height - 0.5 } : null;
}
