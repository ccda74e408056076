// The report works without it. It reveals the copy button where the clipboard can be used, enlarges
// pictures, moves through the picks on the map, and shows a picture beside the pointer there.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  });
}
const zoom = document.getElementById("zoom");
const shots = [...document.querySelectorAll("figure.zooms")].filter((f) => f.querySelector("img"));
let at = -1;
function enlarge(k) {
  if (k < 0 || k >= shots.length) return;
  at = k;
  const frame = shots[k].querySelector(".frame").cloneNode(true);
  const image = frame.querySelector("img");
  for (const name of ["role", "tabindex", "aria-label"]) frame.removeAttribute(name);
  const share = (82 * image.getAttribute("width")) / image.getAttribute("height");
  frame.style.width = `min(92vw, ${share.toFixed(2)}vh)`;
  zoom.querySelector(".frame").replaceWith(frame);
  const name = shots[k].querySelector("figcaption .id");
  zoom.querySelector("p").textContent = name ? name.textContent : "";
  if (!zoom.open) zoom.showModal();
}
for (const [k, shot] of shots.entries()) {
  const frame = shot.querySelector(".frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "button");
  frame.setAttribute("aria-label", "Enlarge: " + frame.querySelector("img").alt);
  frame.addEventListener("click", () => enlarge(k));
  frame.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    enlarge(k);
  });
}
zoom.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") enlarge(at + 1);
  if (event.key === "ArrowLeft") enlarge(at - 1);
});
for (const button of zoom.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    if (button.dataset.move) enlarge(at + Number(button.dataset.move));
    else zoom.close();
  });
}
zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });

const map = document.getElementById("map");
const step = document.getElementById("step");
if (step) {
  const shapes = JSON.parse(step.dataset.shapes);
  const said = [...document.querySelectorAll("#steps option")];
  const picks = [...map.querySelectorAll(".template")];
  const places = new Map(picks.map((pick) => [pick.dataset.k, pick.dataset.at.split(" ")]));
  const spokes = new Map([...map.querySelectorAll(".spoke")].map((s) => [s.dataset.n, s]));
  const images = [...map.querySelectorAll(".image[data-owner]")].map((mark) => ({
    mark, spoke: spokes.get(mark.dataset.n), owners: mark.dataset.owner.split(" "),
  }));
  const show = () => {
    const m = Number(said[step.value].value);
    for (const { mark, spoke, owners } of images) {
      const k = owners[step.value], place = places.get(k), colour = `t${k % 8}`;
      mark.setAttribute("class", `image point ${place ? colour : "alone"}`);
      mark.setAttribute("d", shapes[Math.floor(Math.max(k, 0) / 8) % shapes.length]);
      if (!spoke) continue;
      spoke.setAttribute("class", place ? `spoke ${colour}` : "spoke alone");
      if (place) {
        spoke.setAttribute("x2", place[0]);
        spoke.setAttribute("y2", place[1]);
      }
    }
    for (const part of map.querySelectorAll("[data-later][data-k]")) {
      part.classList.toggle("later", part.dataset.later === "1" && Number(part.dataset.k) >= m);
    }
    document.getElementById("step-said").textContent = said[step.value].textContent;
  };
  step.closest("p").hidden = false;
  step.addEventListener("input", show);
  show();
  let before = step.value; // paper shows all picks
  addEventListener("beforeprint", () => { before = step.value; step.value = step.max; show(); });
  addEventListener("afterprint", () => { step.value = before; show(); });
}
const hover = document.getElementById("hover");
if (hover) {
  const leave = () => { hover.hidden = true; };
  for (const mark of map.querySelectorAll(".image[data-n]")) {
    const picture = stored.get(mark.dataset.n);
    if (!picture) continue;
    mark.addEventListener("pointerenter", (event) => {
      hover.querySelector("img").src = picture.uri;
      const said = mark.querySelector("title").textContent;
      hover.querySelector("figcaption").textContent = said.split(", represented by")[0];
      hover.hidden = false;
      const box = hover.getBoundingClientRect();
      const x = Math.min(event.clientX + 14, innerWidth - box.width - 4);
      const y = Math.min(event.clientY + 14, innerHeight - box.height - 4);
      hover.style.left = `${Math.max(x, 4)}px`;
      hover.style.top = `${Math.max(y, 4)}px`;
    });
    mark.addEventListener("pointerleave", leave);
  }
  addEventListener("scroll", leave, { passive: true });
}
