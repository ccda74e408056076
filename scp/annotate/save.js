// The long CSV that scp reads (docs/reference/files.md): a line for each point that is known.

const RUN = /^'*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]/; // spreadsheets run such a cell

function cell(name) {
  const safe = RUN.test(name) ? `'${name}` : name;
  return /[,"\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function number(value, exact) {
  if (value === null) return "";
  return exact ? String(value) : value.toFixed(3).replace(/^-(0\.0+)$/, "$1");
}

// A landmark that nobody decided has no line. A place that was not changed is written as it came.
function csv() {
  const hidden = points.some((row) => row.some((p) => p && p.hidden));
  const lines = [`image,landmark,x,y,source${hidden ? ",visible" : ""}`];
  for (const [i, row] of points.entries()) {
    for (const [k, p] of row.entries()) {
      if (p === null) continue;
      const before = initial[i][k];
      const same = before !== null && p.x === before.x && p.y === before.y;
      const xy = [p.x, p.y].map((v) => number(v, same));
      const cells = [cell(images[i].id), cell(landmarks[k]), ...xy, p.source];
      if (hidden) cells.push(isAbsent(p) ? "" : p.hidden ? "0" : "1");
      lines.push(cells.join(","));
    }
  }
  return lines;
}

function save() {
  const lines = csv();
  if (lines.length === 1) {
    changed("nothing is marked yet: there is nothing to save");
    return;
  }
  const link = document.createElement("a");
  const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.href = url;
  link.download = data.saves;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  kept.saved = true;
  autosave();
  changed(`saved ${lines.length - 1} points as ${data.saves}`);
}
