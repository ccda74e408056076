// The pictures that stand in the page once, by the number of their image; and the browser, which
// shows one of its panels with them.
const stored = new Map(
  [...document.querySelectorAll("#pictures li")].map((item) => [item.dataset.n, item.dataset]),
);
const browsed = document.getElementById("browsed");
if (browsed) {
  const section = document.getElementById("browse");
  const panels = [...section.querySelectorAll("template")];
  const turns = [...section.querySelectorAll("button[data-turn]")];
  const picture = (figure) => {
    const frame = figure.querySelector(".frame");
    const found = stored.get(figure.dataset.n);
    if (!found) {
      frame.className = "missing";
      frame.setAttribute("role", "img");
      frame.setAttribute("aria-label", `${figure.dataset.alt}: could not be read`);
      frame.textContent = "image could not be read";
      return;
    }
    const image = new Image(found.width, found.height);
    image.alt = figure.dataset.alt;
    image.src = found.uri;
    frame.prepend(image);
  };
  const show = () => {
    const panel = panels[browsed.selectedIndex];
    const content = panel.content.cloneNode(true);
    for (const figure of content.querySelectorAll("[data-n]")) picture(figure);
    for (const figure of content.querySelectorAll("[data-from]")) {
      const large = document.getElementById(figure.dataset.from);
      figure.prepend(large.querySelector(".frame, .missing").cloneNode(true));
    }
    document.getElementById("panel").replaceChildren(content);
    document.getElementById("browsed-said").textContent = panel.dataset.said;
    for (const button of turns) {
      const next = browsed.selectedIndex + Number(button.dataset.turn);
      button.disabled = next < 0 || next >= panels.length;
    }
  };
  for (const button of turns) {
    button.addEventListener("click", () => {
      browsed.selectedIndex += Number(button.dataset.turn);
      show();
    });
  }
  browsed.addEventListener("change", show);
  section.hidden = false;
  for (const link of document.querySelectorAll("[data-browse]")) link.hidden = false;
  show();
}
