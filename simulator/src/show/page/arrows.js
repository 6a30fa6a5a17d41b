// Messages. What is in view is chosen first, then drawn kind by kind: a kind of which much is in
// view fades, so that the rare messages, which tell the story, stand out at every scale.

// The messages that were drawn last, for the pointer to find.
let drawn = [];
// Per pixel column and node, how many messages begin or end there.
let activity = null;
const COLUMN = 4;
const LABELS_MAX = 110;

function chooseArrows() {
  const width = view.width - GUTTER;
  const seen = new Uint32Array(kinds.length);
  let all = 0;
  eachMessageIn(view.from, view.to, (i) => {
    const kind = messages.kind[i];
    seen[kind] += 1;
    if (kinds[kind].isShown) all += 1;
  });
  const columns = Math.ceil(width / COLUMN);
  const counts = new Float32Array(columns * nodes.length);
  const perPixel = (view.to - view.from) / width;
  const count = (node, at) => {
    const column = Math.floor((at - view.from) / perPixel / COLUMN);
    if (column >= 0 && column < columns) counts[node * columns + column] += 1;
  };
  // Arrows of a kind between two nodes that would cover each other are one arrow.
  const steps = Array.from(seen, (n) =>
    n > 4 * width ? 3 : n > width ? 2 : n > width / 2 ? 1 : 0,
  );
  const last = new Map();
  const chosen = kinds.map(() => []);
  eachMessageIn(view.from, view.to, (i) => {
    const kind = messages.kind[i];
    if (!kinds[kind].isShown) return;
    const from = messages.from[i];
    const to = messages.to[i];
    count(from, messages.sent[i]);
    if (!messages.isLost[i]) count(to, messages.ends[i]);
    if (steps[kind] > 0) {
      const pair = ((kind * nodes.length + from) * nodes.length + to) * 2 + messages.isLost[i];
      const step = messages.isLost[i] ? 2 * steps[kind] : steps[kind];
      const pixel = Math.floor(messages.sent[i] / perPixel / step);
      if (pixel === last.get(pair)) return;
      last.set(pair, pixel);
    }
    chosen[kind].push(i);
  });
  activity = { counts, columns, share: Math.max(0, Math.min(1, (all / width - 0.6) / 2)) };
  return chosen;
}

// How opaque arrows are of which there are so many in each pixel.
function strength(density) {
  return Math.max(0.04, Math.min(0.95, 0.95 * (0.13 / density) ** 0.9));
}

function drawArrows(chosen) {
  const width = view.width - GUTTER;
  drawn = [];
  const order = kinds.map((_, kind) => kind).sort((a, b) => chosen[b].length - chosen[a].length);
  for (const kind of order) {
    const list = chosen[kind];
    if (list.length === 0) continue;
    const alpha = strength(list.length / width);
    const isFaded = alpha < 0.5;
    pen.strokeStyle = inkOfKind(kind);
    pen.fillStyle = inkOfKind(kind);
    pen.lineWidth = kinds[kind].isAnswer || isFaded ? 1 : 1.5;
    strokeWhole(list, alpha);
    // Losses tell of cuts and crashes: they fade by their own number.
    const lost = list.filter((i) => messages.isLost[i]);
    const copies = list.filter((i) => messages.isCopy[i] && !messages.isLost[i]);
    strokeBroken(lost, isFaded ? 0.5 * strength(lost.length / width) : alpha);
    strokeBroken(copies, alpha);
    if (!isFaded) drawHeads(list, alpha);
    for (const i of list) drawn.push(i);
  }
  pen.globalAlpha = 1;
}

// Where few messages are in view, long ones say what they are, as far as there is room for it.
function drawKindLabels() {
  if (drawn.length > LABELS_MAX) return;
  pen.font = FONT;
  pen.textAlign = "center";
  const taken = [];
  for (const i of drawn) {
    const at = ends(i);
    const text = kinds[messages.kind[i]].name + (messages.isCopy[i] ? " again" : "");
    const width = pen.measureText(text).width;
    if (at === null || Math.hypot(at.x1 - at.x0, at.y1 - at.y0) < width + 50) continue;
    const share = messages.isLost[i] ? 0.3 : 0.42;
    const x = at.x0 + share * (at.x1 - at.x0);
    const y = at.y0 + share * (at.y1 - at.y0);
    const angle = Math.atan2(at.y1 - at.y0, at.x1 - at.x0);
    const points = [];
    for (let along = -width / 2; along <= width / 2; along += width / 4) {
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      points.push([x + along * cos + 8 * sin, y + along * sin - 8 * cos]);
    }
    if (points.some(([a, b]) => taken.some(([c, d]) => Math.hypot(a - c, b - d) < 15))) continue;
    taken.push(...points);
    pen.save();
    pen.translate(x, y);
    pen.rotate(angle);
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    pen.strokeStyle = ink.ground;
    pen.strokeText(text, 0, -8);
    pen.fillStyle = inkOfKind(messages.kind[i]);
    pen.fillText(text, 0, -8);
    pen.restore();
  }
}

// The two ends of an arrow on the screen, cut to what is near the view; null if nothing is left.
function ends(i) {
  let x0 = xOf(messages.sent[i]);
  let x1 = xOf(messages.ends[i]);
  let y0 = yOfNode(messages.from[i]);
  let y1 = yOfNode(messages.to[i]);
  const left = GUTTER - 20;
  const right = view.width + 20;
  if (x1 < left || x0 > right) return null;
  const slope = x1 > x0 ? (y1 - y0) / (x1 - x0) : 0;
  const isWhole = x1 <= right;
  if (x1 > right) [x1, y1] = [right, y0 + slope * (right - x0)];
  if (x0 < left) [x0, y0] = [left, y0 + slope * (left - x0)];
  return { x0, y0, x1, y1, isWhole };
}

// A message to oneself is a low bow, so that it does not vanish in the line of the node.
function trace(at, i) {
  pen.moveTo(at.x0, at.y0);
  if (messages.from[i] === messages.to[i]) {
    pen.quadraticCurveTo((at.x0 + at.x1) / 2, at.y0 - rows.lane * 0.7, at.x1, at.y1);
  } else {
    pen.lineTo(at.x1, at.y1);
  }
}

// Arrows in small groups: within one path what overlaps does not add up.
function strokeWhole(list, alpha) {
  const GROUP = alpha < 0.5 ? 48 : 400;
  pen.globalAlpha = alpha;
  pen.beginPath();
  let count = 0;
  for (const i of list) {
    if (messages.isLost[i] || messages.isCopy[i]) continue;
    const at = ends(i);
    if (at === null) continue;
    trace(at, i);
    count += 1;
    if (count % GROUP === 0) {
      pen.stroke();
      pen.beginPath();
    }
  }
  pen.stroke();
}

// Copies are dotted. Lost messages are dashed, go part of the way, and end in a cross. What fades
// is not broken: dashes of many messages would line up to a pattern of their own.
function strokeBroken(list, alpha) {
  const isFaded = alpha < 0.2;
  pen.globalAlpha = alpha;
  for (const i of list) {
    const at = ends(i);
    if (at === null) continue;
    if (messages.isLost[i]) {
      at.x1 = at.x0 + (at.x1 - at.x0) * 0.62;
      at.y1 = at.y0 + (at.y1 - at.y0) * 0.62;
    }
    if (!isFaded) pen.setLineDash(messages.isLost[i] ? [6, 4] : [1.5, 3]);
    pen.beginPath();
    trace(at, i);
    pen.stroke();
    pen.setLineDash([]);
    if (messages.isLost[i] && at.isWhole) {
      const r = isFaded ? 2 : 3.5;
      pen.beginPath();
      pen.moveTo(at.x1 - r, at.y1 - r);
      pen.lineTo(at.x1 + r, at.y1 + r);
      pen.moveTo(at.x1 - r, at.y1 + r);
      pen.lineTo(at.x1 + r, at.y1 - r);
      pen.stroke();
    }
  }
}

function drawHeads(list, alpha) {
  pen.globalAlpha = alpha;
  pen.beginPath();
  for (const i of list) {
    if (messages.isLost[i]) continue;
    const at = ends(i);
    if (at !== null && at.isWhole && at.x1 >= GUTTER - 4)
      head(at, messages.from[i] === messages.to[i]);
  }
  pen.fill();
}

function head({ x0, y0, x1, y1 }, isBow) {
  const angle = isBow ? 0.9 : Math.atan2(y1 - y0, x1 - x0);
  const size = 6;
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - size * Math.cos(angle - 0.38), y1 - size * Math.sin(angle - 0.38));
  pen.lineTo(x1 - size * Math.cos(angle + 0.38), y1 - size * Math.sin(angle + 0.38));
  pen.closePath();
}

// One message again, on top of everything.
function highlightArrow(i, color, width) {
  const at = ends(i);
  if (at === null) return;
  pen.lineCap = "round";
  pen.strokeStyle = color;
  pen.fillStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(messages.isLost[i] ? [6, 5] : []);
  pen.beginPath();
  trace(at, i);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineCap = "butt";
  if (!messages.isLost[i] && at.isWhole) {
    pen.beginPath();
    head(at, messages.from[i] === messages.to[i]);
    pen.fill();
  }
}

// How busy nodes are, where single messages cannot be told apart.
function drawActivity() {
  const { counts, columns, share } = activity;
  if (share === 0) return;
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  pen.fillStyle = ink.muted;
  pen.globalAlpha = 0.55 * share;
  pen.beginPath();
  for (let node = 0; node < nodes.length; node += 1) {
    const y = yOfNode(node);
    for (let column = 0; column < columns; column += 1) {
      const n = counts[node * columns + column];
      if (n === 0) continue;
      const height = Math.max(1, Math.sqrt(n / most) * (rows.lane - 4));
      pen.rect(GUTTER + column * COLUMN, y - height / 2, COLUMN - 1, height);
    }
  }
  pen.fill();
  pen.globalAlpha = 1;
}

// The drawn message nearest to a point, if it is near.
function arrowAt(x, y) {
  let best = null;
  let least = 6;
  for (const i of drawn) {
    const at = ends(i);
    if (at === null || x < at.x0 - 6 || x > at.x1 + 6) continue;
    const distance = distanceTo(at, x, y, messages.from[i] === messages.to[i]);
    if (distance <= least) [best, least] = [i, distance];
  }
  return best;
}

function distanceTo({ x0, y0, x1, y1 }, x, y, isBow) {
  const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const along = length === 0 ? 0 : ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length;
  const share = Math.max(0, Math.min(1, along));
  const lift = isBow ? rows.lane * 1.4 * share * (1 - share) : 0;
  return Math.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0) + lift);
}
