// The picture and the marks over it, each on a canvas with a pixel for each of the screen.

const picture = document.getElementById("picture");
const marks = document.getElementById("marks");
const COLOURS = { marked: "#ffe14d", corrected: "#7dff9b", found: "#5cc8ff", cross: "#ffffff" };
const RING = 7; // CSS pixels
const show = { names: false, cross: null, brightness: 100, contrast: 100, inverted: false };
const pictures = new Map(); // decoded ones: of this image and its neighbours

function pictureOf(i) {
  if (!pictures.has(i)) {
    const made = new Image();
    made.onload = () => draw();
    made.src = images[i].uri;
    pictures.set(i, made);
  }
  return pictures.get(i);
}

function keepNeighbours() {
  for (const i of pictures.keys()) if (Math.abs(i - at.image) > 1) pictures.delete(i);
  for (const i of [at.image + 1, at.image - 1]) if (images[i]) pictureOf(i);
}

// A canvas whose pixels are those of the screen: the stage may begin between two of them.
function canvasOf(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const box = size();
  const [left, top] = [box.left, box.top].map((v) => Math.round(v * ratio) / ratio - v);
  const wide = Math.max(1, Math.ceil(box.width * ratio));
  const high = Math.max(1, Math.ceil(box.height * ratio));
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  Object.assign(canvas.style, {
    left: `${left}px`, top: `${top}px`, width: `${wide / ratio}px`, height: `${high / ratio}px`,
  });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, -left * ratio, -top * ratio);
  pen.clearRect(left, top, wide / ratio, high / ratio);
  return pen;
}

let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawPicture();
    drawMarks();
  });
}

function drawPicture() {
  const pen = canvasOf(picture);
  const shown = pictureOf(at.image);
  if (!shown.complete || !shown.naturalWidth) return;
  const { width, height } = image();
  const magnified = (view.scale * width) / shown.naturalWidth;
  const pixels = magnified * (window.devicePixelRatio || 1) >= 1.5;
  pen.imageSmoothingEnabled = !pixels;
  pen.imageSmoothingQuality = "high";
  picture.classList.toggle("pixels", pixels);
  pen.drawImage(shown, view.x, view.y, width * view.scale, height * view.scale);
  picture.style.filter =
    `brightness(${show.brightness}%) contrast(${show.contrast}%)` +
    (show.inverted ? " invert(1)" : "");
}

function drawMarks() {
  const pen = canvasOf(marks);
  pen.lineCap = "round";
  for (const [k, p] of points[at.image].entries()) {
    if (isPlaced(p) && k !== at.landmark) drawPoint(pen, p, landmarks[k], false);
  }
  const now = current();
  if (isPlaced(now)) {
    drawPoint(pen, now, landmarks[at.landmark], true);
    return;
  }
  const hint = usualPlace();
  if (hint && now === null) drawHint(pen, toScreen(hint));
  if (show.cross) drawCross(pen, toScreen(show.cross));
}

// Dark below bright: seen on bone and on air.
function stroke(pen, colour, wide) {
  pen.strokeStyle = "rgb(0 0 0 / 0.65)";
  pen.lineWidth = wide + 2;
  pen.stroke();
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  pen.stroke();
}

function drawPoint(pen, p, name, here) {
  const { x, y } = toScreen(p);
  const colour = COLOURS[p.source];
  pen.setLineDash(p.source === "found" ? [3, 3.3] : []);
  pen.beginPath();
  pen.arc(x, y, here ? RING + 3 : RING - 1, 0, 2 * Math.PI);
  stroke(pen, colour, here ? 2 : 1.5);
  pen.setLineDash([]);
  if (here) {
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + 3 * dx, y + 3 * dy);
      pen.lineTo(x + 18 * dx, y + 18 * dy);
    }
    stroke(pen, colour, 1.25);
  }
  pen.beginPath();
  pen.arc(x, y, 1.1, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.fill();
  if (here || show.names) label(pen, name, x + (here ? 14 : 9), y - (here ? 12 : 7), colour, here);
}

function label(pen, name, x, y, colour, here) {
  pen.font = `${here ? "600 13px" : "12px"} system-ui, sans-serif`;
  const text = plain(name);
  const wide = pen.measureText(text).width;
  if (x + wide > size().width - 4) x -= wide + 28;
  pen.lineJoin = "round";
  pen.lineWidth = 3.5;
  pen.strokeStyle = "rgb(0 0 0 / 0.75)";
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function drawHint(pen, { x, y }) {
  pen.globalAlpha = 0.6;
  pen.setLineDash([2, 5]);
  pen.beginPath();
  pen.arc(x, y, 22, 0, 2 * Math.PI);
  stroke(pen, COLOURS.cross, 1.25);
  pen.setLineDash([]);
  pen.globalAlpha = 0.8;
  label(pen, `${landmarks[at.landmark]}: usually here`, x + 26, y + 4, COLOURS.cross, false);
  pen.globalAlpha = 1;
}

function drawCross(pen, { x, y }) {
  const { width, height } = size();
  pen.beginPath();
  pen.moveTo(0, y);
  pen.lineTo(x - 5, y);
  pen.moveTo(x + 5, y);
  pen.lineTo(width, y);
  pen.moveTo(x, 0);
  pen.lineTo(x, y - 5);
  pen.moveTo(x, y + 5);
  pen.lineTo(x, height);
  stroke(pen, COLOURS.cross, 1);
}

// A name as it can be shown: no control characters, none that turns the direction of the text.
function plain(name) {
  return name.replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");
}
