// What is selected, the events of the run, and the legend. All text goes in as text, never as
// markup.

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function facts(pairs) {
  const table = element("dl", "facts");
  for (const [name, value] of pairs) {
    table.append(element("dt", "", name));
    const cell = element("dd");
    cell.append(value);
    table.append(cell);
  }
  return table;
}

function link(text, go) {
  const button = element("button", "link", text);
  button.addEventListener("click", go);
  return button;
}

function nodeLink(node, at) {
  return link(nodes[node].name, () => select({ type: "node", node, at }, true));
}

function describe(selection) {
  if (selection === null) return "";
  if (selection.type === "message") {
    const { i } = selection;
    return `${kinds[messages.kind[i]].name} ${nodes[messages.from[i]].name} → ${nodes[messages.to[i]].name}`;
  }
  if (selection.type === "mark") {
    return `${selection.mark.kind} ${placeName(selection.mark)}: ${selection.mark.text}`;
  }
  return `${nodes[selection.node].name} at ${shownTime(selection.at)}`;
}

function showSelection() {
  body.dataset.selected = describe(selected);
  const panel = byId("selection");
  panel.replaceChildren();
  if (selected === null) {
    panel.append(element("p", "hint", "Click a message, a symbol, or the line of a node."));
  } else if (selected.type === "message") {
    showMessage(panel, selected.i);
  } else if (selected.type === "mark") {
    showMark(panel, selected.mark);
  } else {
    showNode(panel, selected.node, selected.at);
  }
}

function showMessage(panel, i) {
  const { sent, ends: arrival, from, to } = messages;
  const title = element("h3", "", kinds[messages.kind[i]].name);
  title.style.setProperty("--dot", inkOfKind(messages.kind[i]));
  if (messages.isLost[i]) title.append(element("span", "badge bad", "lost"));
  if (messages.isCopy[i]) title.append(element("span", "badge", "duplicate"));
  panel.append(title);
  const way = element("span");
  way.append(nodeLink(from[i], sent[i]), " → ", nodeLink(to[i], arrival[i]));
  const pairs = [
    ["way", way],
    ["sent", shownTime(sent[i])],
  ];
  if (!messages.isLost[i]) {
    pairs.push(["arrives", `${shownTime(arrival[i])}  (${shownTime(arrival[i] - sent[i])} later)`]);
  }
  pairs.push(["name", "#message=" + messages.name[i]]);
  panel.append(facts(pairs), element("pre", "content", texts[messages.text[i]]));
  if (!messages.isLost[i]) showState(panel, to[i], arrival[i], "then: ");
}

function showMark(panel, mark) {
  const title = element("h3", "", MARKS[mark.kind].name);
  title.style.setProperty("--dot", ink[MARKS[mark.kind].color]);
  const where = mark.node === null ? placeName(mark) : nodeLink(mark.node, mark.at);
  panel.append(
    title,
    facts([
      ["where", where],
      ["at", shownTime(mark.at)],
      ["name", "#mark=" + mark.name],
    ]),
    element("pre", "content", mark.text),
  );
  if (mark.node !== null) showState(panel, mark.node, mark.at, "then: ");
}

function showNode(panel, node, at) {
  panel.append(element("h3", "", nodes[node].name));
  panel.append(
    facts([
      ["role", nodes[node].role],
      ["at", shownTime(at)],
    ]),
  );
  showState(panel, node, at, "");
  const recent = before(node, at, 10);
  if (recent.length === 0) return;
  panel.append(element("h4", "", "just before"));
  const list = element("ol", "recent");
  for (const event of recent) {
    const row = element("li");
    row.append(element("time", "", (event.at / 1000).toFixed(3)));
    row.append(link(event.text, () => select(event.selection, false)));
    list.append(row);
  }
  panel.append(list);
}

// The state of a node at a time. Lines that the last step changed are marked.
function showState(panel, node, at, prefix) {
  const { now, before: old } = stateAt(node, at);
  if (now === undefined) return;
  panel.append(
    element("h4", "", `${prefix}state of ${nodes[node].name} since ${shownTime(now.at)}`),
  );
  const known = new Set(old === undefined ? [] : texts[old.text].split("\n"));
  const text = element("pre", "state");
  for (const line of texts[now.text].split("\n")) {
    const isNew = old !== undefined && !known.has(line);
    text.append(element("span", isNew ? "changed" : "", line), "\n");
  }
  panel.append(text);
}

// The last events of a node up to a time, the latest first.
function before(node, at, count) {
  const found = [];
  const note = (time, text, selection) => {
    if (time <= at) found.push({ at: time, text, selection });
  };
  eachMessageIn(at - 400 * messages.flight, at, (i) => {
    const kind = kinds[messages.kind[i]];
    if (!kind.isShown) return;
    const selection = { type: "message", i };
    if (messages.from[i] === node)
      note(messages.sent[i], `${kind.name} → ${nodes[messages.to[i]].name}`, selection);
    if (messages.to[i] === node && !messages.isLost[i]) {
      note(messages.ends[i], `${kind.name} ← ${nodes[messages.from[i]].name}`, selection);
    }
  });
  for (const mark of marks) {
    if (mark.node === node && MARKS[mark.kind].isShown) {
      note(mark.at, `${MARKS[mark.kind].name}: ${mark.text}`, { type: "mark", mark });
    }
  }
  return found.sort((a, b) => b.at - a.at).slice(0, count);
}

// Whether the label of a band says what it is.
function isNamed(band) {
  return band.kind !== "leader" && band.label !== "";
}

// The main events: marks that tell the story, and bands that no mark announces.
function mainEvents() {
  const events = [];
  const announced = new Set();
  for (const mark of marks) {
    announced.add(mark.kind + mark.at);
    if (!MARKS[mark.kind].isMain) continue;
    events.push({
      at: mark.at,
      text: mark.text,
      where: placeName(mark),
      symbol: mark.kind,
      name: MARKS[mark.kind].name,
      go: () => select({ type: "mark", mark }, true),
    });
  }
  for (const band of bands) {
    const { name, sign } = BANDS[band.kind];
    const isMembership =
      band.kind === "configuration" && (band.node !== null || band.process !== null);
    if (isMembership || announced.has(sign + band.from)) continue;
    events.push({
      at: band.from,
      text: isNamed(band) ? band.label : `${name} ${band.label}`,
      where: placeName(band),
      symbol: sign,
      name,
      go: () => showBand(band),
    });
  }
  return events.sort((a, b) => a.at - b.at);
}

// The events in the list, with their rows.
const listed = [];
let nearest = null;

function showEvents() {
  const list = byId("list");
  for (const event of mainEvents()) {
    const row = element("li");
    listed.push({ at: event.at, row });
    const button = element("button", "event");
    const icon = element("canvas");
    icon.width = icon.height = 40;
    icon.dataset.symbol = event.symbol;
    const words = element("span", "words");
    const text = event.text || event.name;
    if (!text.startsWith(event.where)) words.append(element("b", "", event.where + " "));
    words.append(text);
    button.append(element("time", "", (event.at / 1000).toFixed(1)), icon, words);
    button.title = event.name;
    button.addEventListener("click", event.go);
    row.append(button);
    list.append(row);
  }
  body.dataset.events = String(list.children.length);
}

// Marks the events that are in view, and scrolls to them, unless the whole run is in view.
function showNear() {
  const isClose = view.to - view.from < 0.6 * end;
  const near = listed.filter(({ at, row }) => {
    const isNear = isClose && at >= view.from && at <= view.to;
    row.classList.toggle("near", isNear);
    return isNear;
  });
  const middle = (view.from + view.to) / 2;
  const distance = (event) => Math.abs(event.at - middle);
  const closest = isClose
    ? (near.length > 0 ? near : listed).reduce(
        (best, event) => (best === null || distance(event) < distance(best) ? event : best),
        null,
      )
    : null;
  if (closest === null || closest === nearest || byId("events").matches(":hover")) return;
  nearest = closest;
  byId("events").scrollTop = closest.row.offsetTop - byId("events").offsetTop - 60;
}

// Symbols in the list and in the legend, in the colours of the theme.
function drawIcons() {
  for (const icon of document.querySelectorAll("canvas[data-symbol]")) {
    const context = icon.getContext("2d");
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, 20, 20);
    const { symbol: kind } = icon.dataset;
    symbol(context, kind, 10, 10, ink[MARKS[kind].color], 1);
  }
}

function showFailure() {
  if (story.failure === null) return;
  byId("failure").hidden = false;
  byId("to-failure").hidden = false;
  byId("property").textContent = `${story.failure.property} at ${shownTime(story.failure.at_us)}`;
  byId("detail").textContent = story.failure.detail;
}

function showLegend() {
  const legend = byId("kinds");
  FAMILIES.forEach((family, index) => {
    const own = kinds.filter((kind) => kind.family === index);
    if (own.length === 0) return;
    own.sort((a, b) => (a.name < b.name ? -1 : 1));
    const group = element("div", "family");
    group.append(toggle(family.name, own, "swatch", family.color));
    const members = element("div", "members");
    for (const kind of own) members.append(toggle(kind.name, [kind], "", "", kind.count));
    group.append(members);
    legend.append(group);
  });
  const counts = new Map();
  for (const mark of marks) counts.set(mark.kind, (counts.get(mark.kind) || 0) + 1);
  const group = element("div", "symbols");
  for (const kind of ORDER.slice().reverse()) {
    if (!counts.has(kind)) continue;
    const made = toggle(MARKS[kind].name, [MARKS[kind]], "", "", counts.get(kind));
    const icon = element("canvas");
    icon.width = icon.height = 40;
    icon.dataset.symbol = kind;
    made.insertBefore(icon, made.childNodes[1]);
    group.append(made);
  }
  legend.append(group);
  refreshToggles();
}

const toggles = [];

function toggle(name, things, className, color, count) {
  const made = element("label", className);
  if (color) made.style.setProperty("--dot", `var(--${color})`);
  const box = element("input");
  box.type = "checkbox";
  box.addEventListener("change", () => {
    for (const thing of things) thing.isShown = box.checked;
    refreshToggles();
    redraw();
  });
  toggles.push({ box, things });
  made.append(box, element("span", "", name));
  if (count !== undefined) made.append(element("small", "", String(count)));
  return made;
}

function refreshToggles() {
  for (const { box, things } of toggles) {
    const shown = things.filter((thing) => thing.isShown).length;
    box.checked = shown > 0;
    box.indeterminate = shown > 0 && shown < things.length;
  }
  body.dataset.hidden = kinds
    .filter((kind) => !kind.isShown)
    .map((kind) => kind.name)
    .sort()
    .join(" ");
}
