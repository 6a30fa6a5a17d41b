// What happened: the story that the page carries, ordered by time and indexed.

const body = document.body;
let errorCount = 0;
body.dataset.errors = "0";
window.addEventListener("error", () => {
  errorCount += 1;
  body.dataset.errors = String(errorCount);
});

// Messages are skipped by blocks of so many.
const BLOCK = 256;

const story = JSON.parse(document.getElementById("story").textContent);
const texts = story.texts;
const nodes = story.nodes;
const processes = story.processes;

// Messages, in the order in which they were sent. `place` leads from the position in the story,
// which is the name of a message, to the position here; `name` leads back.
const messages = orderMessages(story.messages);
const marks = story.marks
  .map(([at, node, process, kind, text], name) => ({
    name,
    at,
    node,
    process,
    kind,
    text: texts[text],
  }))
  .sort((a, b) => a.at - b.at || a.name - b.name);
const bands = story.bands
  .map(([from, to, node, process, kind, label]) => ({
    from,
    to,
    node,
    process,
    kind,
    label: texts[label],
  }))
  .sort((a, b) => a.from - b.from);
const states = nodes.map(() => []);
for (const [at, node, text] of story.states) states[node].push({ at, text });
for (const list of states) list.sort((a, b) => a.at - b.at);

const end = Math.max(
  story.end_us,
  1,
  ...marks.slice(-1).map((mark) => mark.at),
  ...messages.sent.slice(-1),
);

function orderMessages(rows) {
  const count = rows.length;
  const name = Uint32Array.from(rows.keys()).sort((a, b) => rows[a][0] - rows[b][0] || a - b);
  const all = {
    count,
    name,
    place: new Uint32Array(count),
    sent: new Float64Array(count),
    // When it arrived; of a lost message, when it might have.
    ends: new Float64Array(count),
    isLost: new Uint8Array(count),
    isCopy: new Uint8Array(count),
    from: new Uint16Array(count),
    to: new Uint16Array(count),
    kind: new Uint16Array(count),
    text: new Uint32Array(count),
    kinds: [],
    // How long a message takes that goes to another process.
    flight: 500,
    // The latest end in each block of messages: what a view may skip.
    blockEnds: new Float64Array(Math.ceil(count / BLOCK)),
  };
  const flights = rows
    .filter((row) => row[1] !== null)
    .map((row) => row[1] - row[0])
    .sort((a, b) => a - b);
  if (flights.length > 0) all.flight = Math.max(1, flights[Math.floor(flights.length * 0.85)]);
  const kindOf = new Map();
  for (let i = 0; i < count; i += 1) {
    const [sent, arrives, from, to, kind, text, isCopy] = rows[name[i]];
    if (!kindOf.has(kind)) {
      kindOf.set(kind, all.kinds.length);
      all.kinds.push(texts[kind]);
    }
    all.place[name[i]] = i;
    all.sent[i] = sent;
    all.isLost[i] = arrives === null ? 1 : 0;
    all.ends[i] = arrives === null ? sent + all.flight : arrives;
    all.from[i] = from;
    all.to[i] = to;
    all.kind[i] = kindOf.get(kind);
    all.text[i] = text;
    all.isCopy[i] = isCopy;
    const block = Math.floor(i / BLOCK);
    all.blockEnds[block] = Math.max(all.blockEnds[block], all.ends[i]);
  }
  return all;
}

// Calls `visit` with each message that is under way in a time, in the order of sending.
function eachMessageIn(from, to, visit) {
  const { count, sent, ends, blockEnds } = messages;
  for (let block = 0; block < blockEnds.length; block += 1) {
    const first = block * BLOCK;
    if (sent[first] > to) return;
    if (blockEnds[block] < from) continue;
    const last = Math.min(first + BLOCK, count);
    for (let i = first; i < last && sent[i] <= to; i += 1) {
      if (ends[i] >= from) visit(i);
    }
  }
}

// How many items of a sorted list are at or before `at`.
function countUntil(list, at, timeOf) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(list[middle]) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The last state of a node at a time, and the one before it.
function stateAt(node, at) {
  const count = countUntil(states[node], at, (state) => state.at);
  return { now: states[node][count - 1], before: states[node][count - 2] };
}

function placeName({ node, process }) {
  if (node !== null) return nodes[node].name;
  return process !== null ? processes[process] : "cluster";
}

function shownTime(at) {
  return (at / 1000).toFixed(3) + " ms";
}
