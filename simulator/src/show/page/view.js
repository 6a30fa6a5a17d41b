// Which time and which node is where on the screen.

const scene = document.getElementById("scene");
const pen = scene.getContext("2d");
const GUTTER = 124;
const TOP = 52;
const HEADER = 19;
const FONT = "11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
const BOLD = "600 " + FONT;

// `from` and `to` are times, `top` is how far down the diagram is scrolled.
const view = { from: 0, to: end, top: 0, width: 0, height: 0 };
const WHOLE = { from: -end * 0.004, to: end * 1.012 };
const SPAN_MIN = 20;

// The vertical place of each process and node, before scrolling.
const rows = { processes: [], nodes: [], height: 0, lane: 0 };

function layOut() {
  const room = view.height - TOP - processes.length * (HEADER + 3) - 6;
  rows.lane = Math.max(17, Math.min(44, Math.floor(room / Math.max(1, nodes.length))));
  let y = 0;
  processes.forEach((name, process) => {
    const top = y;
    y += HEADER;
    nodes.forEach((node, index) => {
      if (node.process !== process) return;
      rows.nodes[index] = y + rows.lane / 2;
      y += rows.lane;
    });
    rows.processes[process] = { top, bottom: y };
    y += 3;
  });
  rows.height = y;
  view.top = Math.max(0, Math.min(view.top, rows.height + TOP - view.height));
}

function xOf(at) {
  return GUTTER + ((at - view.from) / (view.to - view.from)) * (view.width - GUTTER);
}

function timeOf(x) {
  return view.from + ((x - GUTTER) / (view.width - GUTTER)) * (view.to - view.from);
}

function yOfNode(node) {
  return TOP + rows.nodes[node] - view.top;
}

function yOfProcess(process) {
  return TOP + rows.processes[process].top + HEADER / 2 - view.top;
}

// Where a mark is drawn.
function yOfPlace({ node, process }) {
  if (node !== null) return yOfNode(node);
  return process !== null ? yOfProcess(process) : TOP - 6;
}

// The node whose line is nearest to a height, if one is near.
function nodeAt(y) {
  const near = rows.nodes.findIndex((_, node) => Math.abs(yOfNode(node) - y) <= rows.lane / 2);
  return y < TOP || near < 0 ? null : near;
}

function show(from, to) {
  const span = Math.max(SPAN_MIN, Math.min(to - from, WHOLE.to - WHOLE.from));
  const middle = (from + to) / 2;
  const first = Math.max(WHOLE.from, Math.min(middle - span / 2, WHOLE.to - span));
  view.from = first;
  view.to = first + span;
}

function zoom(factor, at) {
  const span = Math.max(SPAN_MIN, Math.min((view.to - view.from) * factor, WHOLE.to - WHOLE.from));
  const share = (at - view.from) / (view.to - view.from);
  show(at - share * span, at + (1 - share) * span);
}

function pan(share) {
  const by = share * (view.to - view.from);
  show(view.from + by, view.to + by);
}

// A span in which single messages can be told apart, around a time.
function closeSpan(at) {
  const shown = [];
  const reach = 200 * messages.flight;
  eachMessageIn(at - reach, at + reach, (i) => {
    if (kinds[messages.kind[i]].isShown) shown.push(Math.abs(messages.sent[i] - at));
  });
  shown.sort((a, b) => a - b);
  const far = shown.length === 0 ? reach : shown[Math.min(shown.length - 1, 100)];
  return 2 * Math.max(2.5 * messages.flight, Math.min(far, 40 * messages.flight));
}

// Brings a time into view; closely, unless the view is close already.
function reveal(at, isClose) {
  const close = closeSpan(at);
  const span = isClose && view.to - view.from > 3 * close ? close : view.to - view.from;
  const margin = 0.1 * span;
  if (span === view.to - view.from && at > view.from + margin && at < view.to - margin) return;
  show(at - span / 2, at + span / 2);
}

function revealNode(node) {
  const y = yOfNode(node);
  if (y < TOP + 20 || y > view.height - 20) view.top += y - view.height / 2;
  layOut();
}

// Times to write on the axis: the step is 1, 2 or 5 times a power of ten.
function ticks(from, to, width, apart) {
  const least = ((to - from) / width) * apart;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
  const places = Math.max(0, Math.min(3, -Math.floor(Math.log10(step / 1000) + 1e-9)));
  const found = [];
  for (let n = Math.ceil(Math.max(0, from) / step); n * step <= Math.min(to, end); n += 1) {
    found.push({ at: n * step, label: ((n * step) / 1000).toFixed(places) });
  }
  return found;
}

// Sizes a canvas for the screen; returns its size in CSS pixels.
function fit(canvas, context) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { width, height };
}
