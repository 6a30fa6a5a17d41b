// The diagram: a line per node, time from left to right.

// What is selected: { type: "message", i }, { type: "mark", mark } or { type: "node", node, at }.
let selected = null;
let hovered = null;

function drawScene() {
  Object.assign(view, fit(scene, pen));
  layOut();
  pen.textBaseline = "middle";
  pen.fillStyle = ink.ground;
  pen.fillRect(0, 0, view.width, view.height);
  drawGround();
  const chosen = chooseArrows();
  drawActivity();
  drawBands();
  drawArrows(chosen);
  drawKindLabels();
  drawMarks();
  drawLeaderLabels();
  drawBandLabels();
  drawFailure();
  drawHits();
  drawSelection();
  drawGutter();
  drawAxis();
}

function drawGround() {
  for (const { top, bottom } of rows.processes) {
    pen.fillStyle = ink.tint;
    pen.fillRect(GUTTER, TOP + top - view.top, view.width - GUTTER, HEADER);
    pen.fillStyle = ink.line;
    pen.fillRect(0, TOP + bottom - view.top + 1, view.width, 1);
  }
  pen.fillStyle = ink.line;
  pen.globalAlpha = 0.6;
  for (const { at } of ticks(view.from, view.to, view.width - GUTTER, 90)) {
    pen.fillRect(Math.round(xOf(at)), TOP, 1, view.height - TOP);
  }
  pen.globalAlpha = 1;
  pen.fillStyle = ink.lane;
  const right = Math.min(view.width, xOf(end));
  nodes.forEach((_, node) => {
    pen.fillRect(GUTTER, Math.round(yOfNode(node)), Math.max(0, right - GUTTER), 1);
  });
}

function drawGutter() {
  pen.fillStyle = ink.panel;
  pen.fillRect(0, TOP, GUTTER, view.height - TOP);
  pen.textAlign = "left";
  processes.forEach((name, process) => {
    const { top, bottom } = rows.processes[process];
    pen.fillStyle = ink.line;
    pen.fillRect(0, TOP + bottom - view.top + 1, GUTTER, 1);
    pen.fillStyle = inkOfProcess(process);
    pen.fillRect(0, TOP + top - view.top, 4, bottom - top);
    pen.font = BOLD;
    pen.fillStyle = ink.text;
    pen.fillText(name, 12, TOP + top + HEADER / 2 - view.top);
  });
  pen.font = FONT;
  nodes.forEach((node, index) => {
    const prefix = processes[node.process] + ".";
    const name = node.name.startsWith(prefix) ? node.name.slice(prefix.length) : node.name;
    const isSelected = selected !== null && touches(selected, index);
    pen.font = isSelected ? BOLD : FONT;
    label(pen, name, 22, yOfNode(index) + 0.5, GUTTER - 28, isSelected ? ink.accent : ink.muted);
  });
  pen.fillStyle = ink.line;
  pen.fillRect(GUTTER - 1, TOP, 1, view.height - TOP);
}

function touches(selection, node) {
  if (selection.type === "node") return selection.node === node;
  if (selection.type === "mark") return selection.mark.node === node;
  return messages.from[selection.i] === node || messages.to[selection.i] === node;
}

// The axis and the row of configurations hide what is scrolled under them; marks of the whole
// cluster are drawn on top again.
function drawAxis() {
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, view.width, TOP - 14);
  pen.fillStyle = ink.ground;
  pen.fillRect(0, TOP - 14, view.width, 13);
  pen.fillStyle = ink.panel;
  pen.fillRect(0, 0, GUTTER, TOP);
  pen.fillStyle = ink.line;
  pen.fillRect(0, TOP - 1, view.width, 1);
  pen.font = FONT;
  pen.textAlign = "center";
  pen.fillStyle = ink.muted;
  for (const { at, label: text } of ticks(view.from, view.to, view.width - GUTTER, 90)) {
    pen.fillText(text, xOf(at), 9);
    pen.fillRect(Math.round(xOf(at)), 15, 1, 3);
  }
  pen.textAlign = "left";
  pen.fillRect(0, 0, 0, 0);
  pen.fillText("ms", 12, 9);
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, 0, view.width - GUTTER, view.height);
  pen.clip();
  drawConfigurations(pen, configurations, inView, 19, 17);
  for (const mark of drawnMarks) {
    if (mark.node === null && mark.process === null) {
      symbol(pen, mark.kind, xOf(mark.at), yOfPlace(mark), ink[MARKS[mark.kind].color], 1);
    }
  }
  if (isFailureInView()) flag(pen, xOf(story.failure.at_us), 2);
  pen.restore();
  pen.font = BOLD;
  pen.fillStyle = ink.text;
  pen.fillText("configuration", 12, 28);
}

function isFailureInView() {
  return (
    story.failure !== null && story.failure.at_us >= view.from && story.failure.at_us <= view.to
  );
}

function drawFailure() {
  if (!isFailureInView()) return;
  const x = xOf(story.failure.at_us);
  pen.strokeStyle = ink.refusal;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x, TOP - 14);
  pen.lineTo(x, view.height);
  pen.stroke();
  if (story.failure.node !== null) {
    symbol(pen, "violation", x, yOfNode(story.failure.node), ink.refusal, 1);
  }
}

function flag(context, x, y) {
  const text = story.failure.property;
  context.font = BOLD;
  const width = context.measureText(text).width + 12;
  const left = Math.min(x - 1, (context === pen ? view.width : overview.clientWidth) - width);
  context.fillStyle = ink.refusal;
  context.fillRect(left, y, width, 15);
  context.textAlign = "left";
  context.fillStyle = ink.ground;
  context.fillText(text, left + 6, y + 8);
}

function drawHits() {
  for (const hit of hits) {
    if (hit.at < view.from || hit.at > view.to) continue;
    pen.fillStyle = ink.accent;
    if (hit.type === "message") {
      pen.globalAlpha = hits.length > 300 ? 0.3 : 0.8;
      highlightArrow(hit.i, ink.accent, 2);
      pen.globalAlpha = 1;
    } else {
      pen.beginPath();
      pen.arc(xOf(hit.at), hit.type === "mark" ? yOfPlace(hit.mark) : yOfNode(hit.node), 4, 0, 7);
      pen.fill();
    }
  }
}

function drawSelection() {
  if (hovered !== null && hovered.type === "message") highlightArrow(hovered.i, ink.text, 2);
  if (selected === null) return;
  if (selected.type === "message") {
    highlightArrow(selected.i, ink.ground, 7);
    highlightArrow(selected.i, ink.accent, 3);
    captionOf(selected.i);
    return;
  }
  const at = selected.type === "mark" ? selected.mark.at : selected.at;
  const y = selected.type === "mark" ? yOfPlace(selected.mark) : yOfNode(selected.node);
  pen.strokeStyle = ink.accent;
  pen.globalAlpha = 0.7;
  pen.lineWidth = 1;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(xOf(at), TOP);
  pen.lineTo(xOf(at), view.height);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 1;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(xOf(at), y, 8, 0, 7);
  pen.stroke();
}

// The kind of the selected message, beside it.
function captionOf(i) {
  const at = ends(i);
  if (at === null) return;
  pen.font = BOLD;
  pen.textAlign = "left";
  const text = kinds[messages.kind[i]].name;
  const width = pen.measureText(text).width + 10;
  const x = Math.max(GUTTER + 4, Math.min(view.width - width - 4, (at.x0 + at.x1) / 2 + 10));
  const y = (at.y0 + at.y1) / 2;
  pen.fillStyle = ink.accent;
  pen.fillRect(x, y - 8, width, 16);
  pen.fillStyle = ink.ground;
  pen.fillText(text, x + 5, y + 0.5);
}
