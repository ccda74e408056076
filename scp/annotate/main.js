// Buttons, and the start.

const PRESSED = {
  "image-before": () => stepImage(-1),
  "image-next": () => stepImage(1),
  "zoom-in": () => zoomBy(1.5),
  "zoom-out": () => zoomBy(1 / 1.5),
  "zoom-fit": () => { fit(); draw(); },
  "zoom-one": zoomOne,
  "zoom-point": zoomPoint,
  before: () => stepLandmark(-1),
  next: () => stepLandmark(1),
  undo, redo, reset, save,
  absent: markAbsent,
  accept: () => accept(),
  "accept-all": () => accept(true),
  "help-open": () => part("help").showModal(),
  "help-close": () => part("help").close(),
  "look-reset": () => {
    part("brightness").value = part("contrast").value = 100;
    part("invert").checked = false;
    look();
  },
};
for (const [id, act] of Object.entries(PRESSED)) part(id).addEventListener("click", () => act());

function look() {
  show.brightness = Number(part("brightness").value);
  show.contrast = Number(part("contrast").value);
  show.inverted = part("invert").checked;
  show.names = part("names").checked;
  draw();
}
for (const id of ["brightness", "contrast"]) part(id).addEventListener("input", look);
for (const id of ["invert", "names"]) part(id).addEventListener("change", look);

for (const [key, does] of KEYS) {
  const row = part("keys").insertRow();
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = key;
  row.append(name);
  row.insertCell().textContent = does;
}
part("help-file").textContent = data.saves;

kept.restored = restore();
kept.seen = JSON.stringify(changes());
listeners.push(
  () => {
    const now = JSON.stringify(changes());
    if (now === kept.seen) return;
    kept.seen = now;
    kept.saved = false;
    kept.restored = 0;
    autosave();
  },
  showPanel,
  draw,
);
new ResizeObserver(() => {
  if (view.fitted) fit();
  else keepInSight();
  draw();
}).observe(stage);

const first = points.findIndex((row) => row.some((p) => !isDecided(p)));
at.image = Math.max(first, 0);
at.landmark = Math.max(points[at.image].findIndex((p) => !isDecided(p)), 0);
keepNeighbours();
fit();
changed(`${plain(landmarks[at.landmark])}, ${describe(current())}`);
