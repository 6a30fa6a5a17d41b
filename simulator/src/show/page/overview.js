// The whole run in a strip: configuration, leader, trouble, traffic. The window is what the diagram
// shows; it can be dragged.

const overview = document.getElementById("overview");
const brush = overview.getContext("2d");
const STRIP = {
  configuration: 4,
  leader: 21,
  trouble: 40,
  row: Math.max(4, Math.min(11, Math.floor(44 / Math.max(1, processes.length)))),
};

function xOfOverview(at) {
  const width = overview.clientWidth - GUTTER;
  return GUTTER + ((at - WHOLE.from) / (WHOLE.to - WHOLE.from)) * width;
}

function timeOfOverview(x) {
  return WHOLE.from + ((x - GUTTER) / (overview.clientWidth - GUTTER)) * (WHOLE.to - WHOLE.from);
}

function placeInOverview(band) {
  const left = xOfOverview(band.from);
  return { left, right: Math.max(left + 1, xOfOverview(band.to)) };
}

function trafficTop() {
  return STRIP.trouble + processes.length * STRIP.row + 4;
}

function layOutOverview() {
  overview.style.height = trafficTop() + 40 + "px";
}

function drawOverview() {
  const { width, height } = fit(overview, brush);
  brush.textBaseline = "middle";
  brush.fillStyle = ink.panel;
  brush.fillRect(0, 0, width, height);
  drawConfigurations(brush, configurations, placeInOverview, STRIP.configuration, 15);
  drawLeaders();
  drawTroubles(width);
  drawTraffic(width, height);
  for (const hit of hits) {
    brush.fillStyle = ink.accent;
    brush.fillRect(xOfOverview(hit.at), height - 6, 1.5, 6);
  }
  drawStoryMarks();
  if (story.failure !== null) {
    brush.fillStyle = ink.refusal;
    brush.fillRect(xOfOverview(story.failure.at_us) - 1, 0, 2, height);
    flag(brush, xOfOverview(story.failure.at_us), height - 18);
  }
  drawWindow(width, height);
  drawNames(height);
}

function drawLeaders() {
  brush.font = BOLD;
  brush.textAlign = "left";
  for (const band of bands) {
    if (band.kind !== "leader") continue;
    const { left, right } = placeInOverview(band);
    brush.fillStyle = inkOfBand(band);
    brush.fillRect(left, STRIP.leader, Math.max(1.5, right - left - 1), 15);
    const process = band.node === null ? band.process : nodes[band.node].process;
    const text = process === null ? band.label : processes[process] + "  " + band.label;
    label(brush, text, left + 5, STRIP.leader + 8, right - left - 8, ink.onSoft);
  }
}

function drawTroubles(width) {
  processes.forEach((_, process) => {
    brush.fillStyle = ink.ground;
    brush.fillRect(GUTTER, STRIP.trouble + process * STRIP.row, width - GUTTER, STRIP.row - 1);
  });
  for (const band of bands) {
    if (band.kind === "leader" || band.kind === "configuration") continue;
    const { left, right } = placeInOverview(band);
    const process = band.node === null ? band.process : nodes[band.node].process;
    const first = process === null ? 0 : process;
    const last = process === null ? processes.length - 1 : process;
    const top = STRIP.trouble + first * STRIP.row;
    const bottom = STRIP.trouble + (last + 1) * STRIP.row - 1;
    brush.globalAlpha = band.kind === "down" ? 1 : 0.35;
    brush.fillStyle = band.kind === "down" || band.kind === "paused" ? ink.muted : inkOfBand(band);
    brush.fillRect(left, top, right - left, bottom - top);
    brush.globalAlpha = 1;
    if (band.kind === "cut") hatch(brush, left, right, top, bottom, ink.refusal, 4, 1.2);
  }
}

// Messages sent in each column, by family, the rare ones on top so that they are seen.
function drawTraffic(width, height) {
  const column = 3;
  const columns = Math.max(1, Math.ceil((width - GUTTER) / column));
  const perColumn = (WHOLE.to - WHOLE.from) / columns;
  const counts = FAMILIES.map(() => new Float32Array(columns));
  const totals = new Float32Array(columns);
  for (let i = 0; i < messages.count; i += 1) {
    const kind = kinds[messages.kind[i]];
    if (!kind.isShown) continue;
    const at = Math.floor((messages.sent[i] - WHOLE.from) / perColumn);
    counts[kind.family][at] += 1;
    totals[at] += 1;
  }
  const most = totals.reduce((a, b) => Math.max(a, b), 1);
  const top = trafficTop();
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const order = counts.map((_, family) => family).sort((a, b) => sum(counts[b]) - sum(counts[a]));
  const base = new Float32Array(columns).fill(height - 2);
  for (const family of order) {
    brush.fillStyle = ink[FAMILIES[family].color];
    brush.globalAlpha = 0.8;
    for (let c = 0; c < columns; c += 1) {
      if (counts[family][c] === 0) continue;
      const rise = Math.max(0.7, (counts[family][c] / most) * (height - top - 4));
      base[c] -= rise;
      brush.fillRect(GUTTER + c * column, base[c], column - 0.5, rise);
    }
  }
  brush.globalAlpha = 1;
}

function drawStoryMarks() {
  for (const mark of marks) {
    if (mark.kind !== "crash" && mark.kind !== "violation") continue;
    const process = mark.node === null ? mark.process : nodes[mark.node].process;
    const x = xOfOverview(mark.at);
    brush.fillStyle = ink.refusal;
    brush.fillRect(x - 1, STRIP.trouble + (process || 0) * STRIP.row - 1, 2.5, STRIP.row + 1);
  }
}

function drawWindow(width, height) {
  const left = Math.max(GUTTER, xOfOverview(view.from));
  const right = Math.min(width, xOfOverview(view.to));
  brush.fillStyle = ink.panel;
  brush.globalAlpha = 0.6;
  brush.fillRect(GUTTER, 0, left - GUTTER, height);
  brush.fillRect(right, 0, width - right, height);
  brush.globalAlpha = 1;
  brush.strokeStyle = ink.accent;
  brush.lineWidth = 1.5;
  brush.strokeRect(left + 1, 1, Math.max(3, right - left - 2), height - 2);
}

function drawNames(height) {
  brush.font = FONT;
  brush.textAlign = "left";
  brush.fillStyle = ink.muted;
  brush.fillText("configuration", 12, STRIP.configuration + 8);
  brush.fillText("leader", 12, STRIP.leader + 8);
  brush.fillText("faults", 12, STRIP.trouble + (processes.length * STRIP.row) / 2);
  brush.fillText("messages", 12, (trafficTop() + height) / 2);
}
