// What of the image is seen: screen = offset + (pixel + 0.5) * scale, in CSS pixels; the first pixel
// of the ORIGINAL image covers 0 to 1 of it. The picture embedded may have fewer pixels: it is drawn
// over the same square, so that places are those of the original, exactly.

const MOST = 64; // CSS pixels for a pixel of the original
const KEEP = 48; // CSS pixels of the image that stay in sight
const stage = document.getElementById("stage");
const view = { scale: 1, x: 0, y: 0, fitted: true };

const size = () => stage.getBoundingClientRect(); // in fractions of a CSS pixel
const toScreen = (p) => ({
  x: view.x + (p.x + 0.5) * view.scale,
  y: view.y + (p.y + 0.5) * view.scale,
});
const toImage = (s) => ({
  x: (s.x - view.x) / view.scale - 0.5,
  y: (s.y - view.y) / view.scale - 0.5,
});
const centre = () => ({ x: size().width / 2, y: size().height / 2 });

function fitScale() {
  const { width, height } = size();
  return Math.min(width / image().width, height / image().height) || 1;
}

function fit() {
  const { width, height } = size();
  view.scale = fitScale();
  view.x = (width - image().width * view.scale) / 2;
  view.y = (height - image().height * view.scale) / 2;
  view.fitted = true;
}

// Zoom so that the place under (x, y) of the screen stays there.
function zoom(factor, x = centre().x, y = centre().y) {
  const low = Math.min(fitScale(), 1) / 2;
  const scale = Math.min(Math.max(view.scale * factor, low), MOST);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
  keepInSight();
}

function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  view.fitted = false;
  keepInSight();
}

function lookAt(p, scale = view.scale) {
  const { x, y } = centre();
  view.scale = Math.min(scale, MOST);
  view.x = x - (p.x + 0.5) * view.scale;
  view.y = y - (p.y + 0.5) * view.scale;
  view.fitted = false;
  keepInSight();
}

function keepInSight() {
  const { width, height } = size();
  view.x = Math.min(Math.max(view.x, KEEP - image().width * view.scale), width - KEEP);
  view.y = Math.min(Math.max(view.y, KEEP - image().height * view.scale), height - KEEP);
}

// Moves the view only as far as a point needs to be seen.
function reveal(p) {
  const { width, height } = size();
  const s = toScreen(p);
  const edge = Math.min(60, width / 4, height / 4);
  const dx = Math.max(edge - s.x, 0) + Math.min(width - edge - s.x, 0);
  const dy = Math.max(edge - s.y, 0) + Math.min(height - edge - s.y, 0);
  if (dx || dy) pan(dx, dy);
}
