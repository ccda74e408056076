// Every change is kept in the browser's storage, under a key of this run, its images and landmarks.

const VERSION = 1;
const kept = { works: true, restored: 0, saved: true, seen: "" }; // seen: the changes kept last

// What was changed here, and is not in the page: {image: {landmark: a list or null}}.
function changes() {
  const all = {};
  for (const [i, row] of points.entries()) {
    for (const [k, p] of row.entries()) {
      if (p !== initial[i][k]) (all[i] ??= {})[k] = p && [p.x, p.y, p.source, p.hidden];
    }
  }
  return all;
}

function autosave() {
  const text = JSON.stringify({
    version: VERSION, base: data.base, saved: kept.saved, points: changes(),
  });
  try {
    window.localStorage.setItem(data.key, text);
    kept.works = true;
  } catch {
    kept.works = false;
  }
}

// Brings back what an earlier visit changed. A page that was written anew may hold marks that a
// person made elsewhere since: these stay.
function restore() {
  let stored;
  try {
    window.localStorage.setItem(`${data.key}-test`, "1");
    window.localStorage.removeItem(`${data.key}-test`);
    stored = JSON.parse(window.localStorage.getItem(data.key));
  } catch (error) {
    kept.works = error instanceof SyntaxError;
    return 0;
  }
  if (!stored || stored.version !== VERSION || !stored.points) return 0;
  const same = stored.base === data.base;
  let number = 0;
  for (const [i, row] of initial.entries()) {
    for (const [k, before] of row.entries()) {
      const p = (stored.points[i] || {})[k];
      const counts = p !== undefined && (same || !isDecided(before));
      points[i][k] = counts ? read(p, before) : before;
      number += counts;
    }
  }
  kept.saved = stored.saved === true;
  return number;
}

function read(p, before) {
  const fine = (v) => v === null || Number.isFinite(v);
  if (p === null) return null;
  if (!Array.isArray(p) || !fine(p[0]) || !fine(p[1]) || (p[0] === null) !== (p[1] === null)) {
    return before;
  }
  const source = p[2] === "marked" ? "marked" : "corrected";
  return { x: p[0], y: p[1], source, hidden: p[3] === true };
}

// The same page in another tab: what is marked there is seen here, or each would forget the other.
window.addEventListener("storage", (event) => {
  if (event.key !== data.key || event.newValue === null) return;
  restore();
  kept.seen = JSON.stringify(changes());
  history.done.length = history.undone.length = 0;
  changed("changed in another tab");
});

window.addEventListener("beforeunload", (event) => {
  if (kept.works || kept.saved) return;
  event.preventDefault();
  event.returnValue = ""; // older browsers
});
