// What stands around the image: the list of landmarks, progress, buttons, messages.

const part = (id) => document.getElementById(id);
const list = part("list");

const entries = landmarks.map((name, k) => {
  const entry = document.createElement("li");
  const button = document.createElement("button");
  const label = document.createElement("span");
  const told = document.createElement("span");
  label.className = "name";
  told.className = "told";
  label.textContent = plain(name);
  button.append(label, told);
  button.addEventListener("click", () => {
    goTo(at.image, k);
    stage.focus({ preventScroll: true }); // where Enter sets the point
  });
  entry.append(button);
  list.append(entry);
  return { button, told };
});

// Another image or landmark. The crosshair of the keyboard begins anew.
function goTo(i, k, said = "") {
  const other = i !== at.image;
  at.image = i;
  at.landmark = k;
  show.cross = null;
  if (other) {
    keepNeighbours();
    fit();
  } else if (isPlaced(current())) {
    reveal(current());
  }
  const where = other ? `image ${i + 1} of ${images.length}, ${plain(images[i].id)}: ` : "";
  changed(said || `${where}${plain(landmarks[k])}, ${describe(current())}`);
}

function stepLandmark(step) {
  goTo(at.image, (at.landmark + step + landmarks.length) % landmarks.length);
}

// The first landmark of that image that is to be decided.
function stepImage(step) {
  const i = at.image + step;
  if (!images[i]) return;
  const open = points[i].findIndex((p) => !isDecided(p));
  goTo(i, Math.max(open, 0));
}

function told(p) {
  if (p === null) return "";
  if (isAbsent(p)) return "absent";
  return `${p.x.toFixed(1)}, ${p.y.toFixed(1)}`;
}

function showPanel(said) {
  const { id, note, width, height } = image();
  part("image-name").textContent = plain(id);
  const which = `${at.image + 1} of ${images.length}`;
  part("image-note").textContent = note ? `${which} · ${note}` : which;
  part("image-before").disabled = at.image === 0;
  part("image-next").disabled = at.image === images.length - 1;
  stage.setAttribute("aria-label", `Image ${plain(id)}, ${width} by ${height} pixels`);
  for (const [k, { button, told: text }] of entries.entries()) {
    const p = points[at.image][k];
    const kind = isAbsent(p) ? "absent" : p ? p.source : "open";
    button.className = kind;
    text.textContent = told(p);
    button.setAttribute("aria-label", `${plain(landmarks[k])}: ${describe(p)}`);
    if (k === at.landmark) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  // Not scrollIntoView: it would move the whole page of a phone.
  const row = entries[at.landmark].button.parentElement;
  const top = row.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top - 8;
  if (top + row.offsetHeight > list.scrollTop + list.clientHeight) {
    list.scrollTop = top + row.offsetHeight - list.clientHeight + 8;
  }
  showProgress();
  const now = current();
  const found = (p) => p !== null && p.source === "found";
  part("undo").disabled = !history.done.length;
  part("redo").disabled = !history.undone.length;
  part("absent").disabled = isAbsent(now) && isDecided(now);
  part("reset").disabled = now === initial[at.image][at.landmark];
  part("accept").disabled = !found(now);
  part("accept-all").disabled = !points[at.image].some(found);
  const any = initial.some((row) => row.some(found));
  part("accept").hidden = part("accept-all").hidden = !any;
  part("actions").classList.toggle("check", any);
  if (said) part("status").textContent = plain(said);
  showBanner();
}

function showProgress() {
  const m = landmarks.length;
  const all = images.reduce((sum, _, i) => sum + count(i, isDecided), 0);
  const here = count(at.image, isDecided);
  const found = m - here - count(at.image, (p) => p === null);
  const check = found ? `, ${found} found to check` : "";
  const total = images.length > 1 ? ` · ${all} of ${m * images.length} in all` : "";
  part("progress-text").textContent = `${here} of ${m} points${check}${total}`;
  part("progress").max = m * images.length;
  part("progress").value = all;
  document.title = `${all}/${m * images.length} · Landmarks`;
}

function showBanner() {
  const banner = part("banner");
  if (!kept.works) {
    banner.textContent =
      "This browser keeps nothing for this page: what you mark is lost when it is closed, unless " +
      "you press Save.";
  } else if (kept.restored) {
    const what = kept.restored === 1 ? "1 point" : `${kept.restored} points`;
    banner.textContent = `${what} of your last visit, kept in this browser.`;
  }
  banner.className = kept.works ? "banner quiet" : "banner";
  banner.hidden = kept.works && !kept.restored;
}
