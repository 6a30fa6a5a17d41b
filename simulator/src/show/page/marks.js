// Symbols for what happens at one time.

let drawnMarks = [];
const SIZE = 5;

// The outline of each symbol around (0, 0); what is open is stroked, the rest is filled.
const SYMBOLS = {
  crash: (p) => cross(p, SIZE),
  violation: (p) => star(p, SIZE + 4, SIZE),
  start: (p) =>
    polygon(p, [
      [-4, -5],
      [6, 0],
      [-4, 5],
    ]),
  lead: (p) =>
    polygon(p, [
      [-3, 8],
      [-3, -8],
      [8, -4],
      [-1.4, 0],
      [-1.4, 8],
    ]),
  activation: (p) =>
    polygon(p, [
      [0, -6],
      [6, 0],
      [0, 6],
      [-6, 0],
    ]),
  collection: (p) =>
    polygon(p, [
      [-5, -4],
      [5, -4],
      [3.4, 6],
      [-3.4, 6],
    ]),
  fault: (p) =>
    polygon(p, [
      [1, -8],
      [-5, 1],
      [-1, 1],
      [-2, 8],
      [5, -2],
      [1, -2],
    ]),
  situation: (p) => star(p, 6, 2.6),
  record: (p) => p.rect(-1.5, 3, 3, 5),
  timer: (p) => p.arc(0, 0, 2.5, 0, 7),
  call: (p) =>
    polygon(p, [
      [-3, -7],
      [3, -7],
      [0, -1],
    ]),
  return: (p) =>
    polygon(p, [
      [-3, 7],
      [3, 7],
      [0, 1],
    ]),
};
const STROKED = new Set(["crash", "timer"]);
const ORDER = Object.keys(MARKS);

function polygon(p, points) {
  points.forEach(([x, y], i) => (i === 0 ? p.moveTo(x, y) : p.lineTo(x, y)));
  p.closePath();
}

function cross(p, r) {
  p.moveTo(-r, -r);
  p.lineTo(r, r);
  p.moveTo(-r, r);
  p.lineTo(r, -r);
}

function star(p, outer, inner) {
  const points = [];
  for (let i = 0; i < 10; i += 1) {
    const r = i % 2 === 0 ? outer : inner;
    points.push([r * Math.sin((i * Math.PI) / 5), -r * Math.cos((i * Math.PI) / 5)]);
  }
  polygon(p, points);
}

function drawMarks() {
  const width = view.width - GUTTER;
  const first = countUntil(marks, view.from - 1, (mark) => mark.at);
  const last = countUntil(marks, view.to, (mark) => mark.at);
  const byKind = new Map(ORDER.map((kind) => [kind, []]));
  for (let i = first; i < last; i += 1) {
    if (MARKS[marks[i].kind].isShown) byKind.get(marks[i].kind).push(marks[i]);
  }
  drawnMarks = [];
  for (const [kind, list] of byKind) {
    const { isMain, color } = MARKS[kind];
    const density = list.length / width;
    const alpha = isMain
      ? 1
      : Math.max(0, Math.min(0.8, 0.8 * (0.25 / Math.max(density, 0.01)) - 0.1));
    if (alpha < 0.05) continue;
    for (const mark of list) {
      const y = yOfPlace(mark);
      if (y < TOP - 10 || y > view.height + 10) continue;
      symbol(pen, kind, xOf(mark.at), y, ink[color], alpha);
      drawnMarks.push(mark);
    }
  }
  pen.globalAlpha = 1;
  drawnMarks.sort((a, b) => a.at - b.at);
}

function symbol(context, kind, x, y, color, alpha) {
  context.save();
  context.translate(x, y);
  context.beginPath();
  SYMBOLS[kind](context);
  if (MARKS[kind].isMain) {
    context.globalAlpha = 0.9;
    context.strokeStyle = ink.ground;
    context.lineWidth = STROKED.has(kind) ? 6 : 3.5;
    context.lineJoin = "round";
    context.stroke();
  }
  context.globalAlpha = alpha;
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = kind === "crash" ? 2.6 : 1.2;
  if (STROKED.has(kind)) context.stroke();
  else context.fill();
  context.restore();
}

// The drawn mark nearest to a point, main ones first.
function markAt(x, y) {
  let best = null;
  let least = Infinity;
  for (const mark of drawnMarks) {
    const isMain = MARKS[mark.kind].isMain;
    const distance = Math.hypot(xOf(mark.at) - x, yOfPlace(mark) - y);
    if (distance > (isMain ? 9 : 5)) continue;
    if (distance - (isMain ? 20 : 0) < least) [best, least] = [mark, distance - (isMain ? 20 : 0)];
  }
  return best;
}
