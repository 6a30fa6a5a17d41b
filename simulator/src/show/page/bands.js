// What lasts: crashes, pauses, cuts, slow disks, leaders and configurations.

// Stripes across a rectangle.
function hatch(context, x0, x1, y0, y1, color, gap, width) {
  context.save();
  context.beginPath();
  context.rect(x0, y0, x1 - x0, y1 - y0);
  context.clip();
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  const height = y1 - y0;
  for (let x = x0 - height - ((((x0 - height) % gap) + gap) % gap); x < x1; x += gap) {
    context.moveTo(x, y1);
    context.lineTo(x + height, y0);
  }
  context.stroke();
  context.restore();
}

// Writes a text where there is room for it, cut if need be. Returns the width that it took.
function label(context, text, x, y, room, color) {
  if (room < 14) return 0;
  context.fillStyle = color;
  let shown = text;
  let width = context.measureText(shown).width;
  if (width > room) {
    const fitting = Math.floor((text.length * (room - 8)) / width);
    if (fitting < 2) return 0;
    shown = text.slice(0, fitting) + "…";
    width = context.measureText(shown).width;
  }
  context.fillText(shown, x, y);
  return width;
}

// The part of a band that is in view, at least a pixel wide; null if none is.
function inView(band) {
  if (band.to < view.from || band.from > view.to) return null;
  const left = Math.max(GUTTER, xOf(band.from));
  return { left, right: Math.max(left + 1, Math.min(view.width, xOf(band.to))) };
}

// The heights between which a band lies.
function extent(band) {
  if (band.node !== null) {
    const y = yOfNode(band.node);
    return { top: y - rows.lane / 2 + 1, bottom: y + rows.lane / 2 - 1 };
  }
  const first = rows.processes[band.process === null ? 0 : band.process];
  const last = rows.processes[band.process === null ? processes.length - 1 : band.process];
  return { top: TOP + first.top - view.top, bottom: TOP + last.bottom - view.top };
}

function drawBands() {
  for (const band of bands) {
    const part = inView(band);
    if (part === null) continue;
    if (band.kind === "configuration") drawMembership(band, part);
    else if (band.kind === "leader") drawLeader(band, part);
    else drawTrouble(band, part);
  }
}

function drawTrouble(band, { left, right }) {
  const { top, bottom } = extent(band);
  pen.globalAlpha = band.kind === "down" ? 0.92 : 0.14;
  pen.fillStyle = band.kind === "down" || band.kind === "paused" ? ink.down : inkOfBand(band);
  if (band.kind === "paused") pen.globalAlpha = 0.6;
  pen.fillRect(left, top, right - left, bottom - top);
  pen.globalAlpha = 0.5;
  if (band.kind === "cut") hatch(pen, left, right, top, bottom, ink.cut, 9, 1.3);
  if (band.kind === "slow_disk") hatch(pen, left, right, top, bottom, ink.operator, 14, 1);
  pen.globalAlpha = 1;
}

// Moves a label to the right until it covers no symbol of its line.
function clearOfMarks(left, y, width) {
  let clear = left;
  for (const mark of drawnMarks) {
    if (!MARKS[mark.kind].isMain || Math.abs(yOfPlace(mark) - y) > 8) continue;
    const x = xOf(mark.at);
    if (x > clear - 9 && x < clear + width + 9) clear = x + 11;
  }
  return clear;
}

// Labels are written after the messages, so that these do not cross them out.
function drawBandLabels() {
  pen.font = BOLD;
  pen.textAlign = "left";
  const taken = new Map();
  for (const band of bands) {
    if (band.kind === "configuration" || band.kind === "leader") continue;
    const part = inView(band);
    if (part === null) continue;
    const text = band.label || BANDS[band.kind].name;
    const y = band.node !== null ? yOfNode(band.node) : extent(band).top + HEADER / 2;
    let left = Math.max(part.left, taken.get(y) || 0) + 5;
    const width = pen.measureText(text).width + 1;
    if (left > part.left + 5 && left > part.right - 10) continue;
    left = clearOfMarks(left, y, width);
    const room = Math.min(view.width - left - 3, width);
    if (room < 14) continue;
    pen.fillStyle = ink.ground;
    pen.globalAlpha = 0.8;
    pen.fillRect(left - 3, y - 7, room + 6, 14);
    pen.globalAlpha = 1;
    const color =
      band.kind === "cut" ? ink.refusal : band.kind === "slow_disk" ? ink.operator : ink.text;
    taken.set(y, left + label(pen, text, left, y, room, color) + 6);
  }
}

function drawLeader(band, { left, right }) {
  const { top, bottom } = extent(band);
  const bar = Math.min(15, rows.lane - 4);
  const y = (top + bottom) / 2;
  pen.globalAlpha = 0.85;
  pen.fillStyle = inkOfBand(band);
  pen.fillRect(left, y - bar / 2, Math.max(1.5, right - left - 1), bar);
  pen.globalAlpha = 1;
}

function drawLeaderLabels() {
  pen.font = BOLD;
  pen.textAlign = "left";
  for (const band of bands) {
    const part = band.kind === "leader" ? inView(band) : null;
    if (part === null) continue;
    const { top, bottom } = extent(band);
    const y = (top + bottom) / 2;
    const left = clearOfMarks(part.left + 5, y, pen.measureText(band.label).width);
    const room = Math.min(part.right - left - 3, pen.measureText(band.label).width + 1);
    if (room < 14) continue;
    pen.fillStyle = inkOfBand(band);
    pen.fillRect(left - 3, y - 7, room + 6, 14);
    label(pen, band.label, left, y + 0.5, room, ink.onSoft);
  }
}

// At a node: that it is a member, in the colour of the configuration.
function drawMembership(band, { left, right }) {
  if (band.node === null) return;
  const y = yOfNode(band.node);
  pen.globalAlpha = 0.75;
  pen.fillStyle = inkOfBand(band);
  pen.fillRect(left, y - 3, right - left, 6);
  pen.globalAlpha = 1;
}

// The row on top: which configuration the cluster uses.
function drawConfigurations(context, bandsOfCluster, place, top, height) {
  context.font = BOLD;
  context.textAlign = "left";
  for (const band of bandsOfCluster) {
    const part = place(band);
    if (part === null) continue;
    context.fillStyle = inkOfBand(band);
    context.fillRect(part.left, top, Math.max(1.5, part.right - part.left - 1), height);
    label(
      context,
      band.label,
      part.left + 5,
      top + height / 2 + 0.5,
      part.right - part.left - 8,
      ink.onSoft,
    );
  }
}

const configurations = bands.filter(
  (band) => band.kind === "configuration" && band.node === null && band.process === null,
);
