// Mouse, keys, buttons and the address; the start.

let isScheduled = false;

function redraw() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(drawAll);
}

function drawAll() {
  isScheduled = false;
  drawScene();
  drawOverview();
  showNear();
  body.dataset.drawn = String(drawn.length);
  body.dataset.fromUs = String(Math.round(view.from));
  body.dataset.toUs = String(Math.round(view.to));
}

// When and where a selection is, and the entry of the legend that hides it.
function focusOf(selection) {
  switch (selection.type) {
    case "message": {
      const { i } = selection;
      return { at: messages.sent[i], node: messages.to[i], sort: kinds[messages.kind[i]] };
    }
    case "mark": {
      const { at, node, kind } = selection.mark;
      return { at, node, sort: MARKS[kind] };
    }
    default:
      return { at: selection.at, node: selection.node, sort: null };
  }
}

// Selects, and moves the view there if it is asked to or must.
function select(selection, isClose) {
  selected = selection;
  if (selection !== null) {
    const { at, node, sort } = focusOf(selection);
    if (sort !== null) sort.isShown = true;
    refreshToggles();
    reveal(at, isClose);
    if (node !== null) revealNode(node);
  }
  showSelection();
  remember();
  redraw();
}

function showBand(band) {
  const span = Math.max(band.to - band.from, 4 * messages.flight);
  show(band.from - 0.25 * span, band.from + 1.25 * span);
  redraw();
}

function goToFailure() {
  const { at_us: at, node } = story.failure;
  const span = 1.6 * closeSpan(at);
  show(at - 0.7 * span, at + 0.3 * span);
  if (node === null) select(null);
  else select({ type: "node", node, at }, false);
  redraw();
}

function find(text, isMoving) {
  search(text);
  body.dataset.found = String(hits.length);
  if (isMoving) goToHit(1);
  showFound();
  redraw();
}

function goToHit(by) {
  const hit = turnHit(by);
  if (hit !== null) select(hit, true);
  showFound();
}

function showFound() {
  const isEmpty = byId("find").value.trim() === "";
  byId("found").textContent = isEmpty ? "" : `${hitIndex + 1} / ${hits.length}`;
}

// The address. It is written without a new entry in the history, and read when it is changed by
// hand.
let isRemembering = false;

function remember() {
  if (!isRemembering) return;
  const address = new URLSearchParams();
  if (selected === null) address.set("t", ((view.from + view.to) / 2000).toFixed(3));
  else if (selected.type === "message") address.set("message", messages.name[selected.i]);
  else if (selected.type === "mark") address.set("mark", selected.mark.name);
  else {
    address.set("node", nodes[selected.node].name);
    address.set("t", (selected.at / 1000).toFixed(3));
  }
  const wanted = byId("find").value.trim();
  if (wanted !== "") address.set("find", wanted);
  try {
    history.replaceState(null, "", "#" + address);
  } catch {
    // Some browsers refuse it for files; the page works without.
  }
}

function followAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  const at = address.has("t") ? Number(address.get("t")) * 1000 : NaN;
  const name = Number(address.get("message"));
  const node = nodes.findIndex((known) => known.name === address.get("node"));
  const mark = marks.find((known) => String(known.name) === address.get("mark"));
  if (address.has("find")) {
    byId("find").value = address.get("find");
    find(address.get("find"), !address.has("message") && !Number.isFinite(at));
  }
  if (address.has("message") && name >= 0 && name < messages.count) {
    select({ type: "message", i: messages.place[name] }, true);
  } else if (mark !== undefined) {
    select({ type: "mark", mark }, true);
  } else if (Number.isFinite(at)) {
    const span = Number(address.get("span")) * 1000 || Math.min(closeSpan(at), view.to - view.from);
    show(at - span / 2, at + span / 2);
    select(node < 0 ? null : { type: "node", node, at }, false);
  } else if (address.has("failure") && story.failure !== null) {
    goToFailure();
  }
}

function pick(x, y) {
  if (x < GUTTER) return null;
  const mark = markAt(x, y);
  if (mark !== null) return { type: "mark", mark };
  const i = arrowAt(x, y);
  if (i !== null) return { type: "message", i };
  const node = nodeAt(y);
  return node === null ? null : { type: "node", node, at: Math.max(0, Math.min(end, timeOf(x))) };
}

function showTip(event, thing) {
  const tip = byId("tip");
  tip.hidden = thing === null || thing.type === "node";
  if (tip.hidden) return;
  const text = thing.type === "message" ? texts[messages.text[thing.i]] : shownTime(thing.mark.at);
  tip.replaceChildren(element("b", "", describe(thing)), element("span", "", text.slice(0, 240)));
  const isRight = event.offsetX > view.width - 340;
  tip.style.left = isRight ? "" : event.offsetX + 14 + "px";
  tip.style.right = isRight ? view.width - event.offsetX + 14 + "px" : "";
  tip.style.top = scene.offsetTop + event.offsetY + 14 + "px";
}

function listenToMouse() {
  let drag = null;
  scene.addEventListener("pointerdown", (event) => {
    drag = {
      x: event.offsetX,
      y: event.offsetY,
      from: view.from,
      to: view.to,
      top: view.top,
      isMoved: false,
    };
    if (event.isTrusted) scene.setPointerCapture(event.pointerId);
  });
  scene.addEventListener("pointermove", (event) => {
    if (drag === null) {
      hovered = pick(event.offsetX, event.offsetY);
      showTip(event, hovered);
      redraw();
      return;
    }
    if (Math.hypot(event.offsetX - drag.x, event.offsetY - drag.y) > 4) drag.isMoved = true;
    if (!drag.isMoved) return;
    const by = ((drag.x - event.offsetX) / (view.width - GUTTER)) * (drag.to - drag.from);
    show(drag.from + by, drag.to + by);
    view.top = drag.top + drag.y - event.offsetY;
    redraw();
  });
  scene.addEventListener("pointerup", (event) => {
    if (drag !== null && !drag.isMoved) select(pick(event.offsetX, event.offsetY), false);
    else remember();
    drag = null;
  });
  scene.addEventListener("pointerleave", () => {
    hovered = null;
    byId("tip").hidden = true;
    redraw();
  });
  scene.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan((event.deltaX || event.deltaY) / 1500);
      } else {
        zoom(1.0018 ** event.deltaY, timeOf(Math.max(GUTTER, event.offsetX)));
      }
      redraw();
    },
    { passive: false },
  );
}

function listenToOverview() {
  let isDragging = false;
  const move = (event) => {
    const span = view.to - view.from;
    const at = timeOfOverview(event.offsetX);
    show(at - span / 2, at + span / 2);
    redraw();
  };
  overview.addEventListener("pointerdown", (event) => {
    isDragging = true;
    if (event.isTrusted) overview.setPointerCapture(event.pointerId);
    if (view.to - view.from > 0.9 * end) zoom(0.12, timeOfOverview(event.offsetX));
    move(event);
  });
  overview.addEventListener("pointermove", (event) => isDragging && move(event));
  overview.addEventListener("pointerup", () => {
    isDragging = false;
    remember();
  });
}

const KEYS = {
  "+": () => zoom(0.7, (view.from + view.to) / 2),
  "=": () => zoom(0.7, (view.from + view.to) / 2),
  "-": () => zoom(1 / 0.7, (view.from + view.to) / 2),
  ArrowLeft: () => pan(-0.12),
  ArrowRight: () => pan(0.12),
  ArrowUp: () => (view.top -= 40),
  ArrowDown: () => (view.top += 40),
  PageUp: () => pan(-0.9),
  PageDown: () => pan(0.9),
  Home: () => show(WHOLE.from, WHOLE.from + view.to - view.from),
  End: () => show(WHOLE.to - view.to + view.from, WHOLE.to),
  0: () => show(WHOLE.from, WHOLE.to),
  f: () => story.failure !== null && goToFailure(),
  n: () => goToHit(1),
  p: () => goToHit(-1),
  Escape: () => select(null, false),
  "/": () => byId("find").focus(),
};

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.target === byId("find")) {
      if (event.key === "Enter") goToHit(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") scene.focus();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
    redraw();
  });
  byId("find").addEventListener("input", (event) => find(event.target.value, false));
  for (const [id, key] of [
    ["in", "+"],
    ["out", "-"],
    ["all", "0"],
    ["to-failure", "f"],
    ["next", "n"],
    ["previous", "p"],
  ]) {
    byId(id).addEventListener("click", () => {
      KEYS[key]();
      redraw();
    });
  }
  byId("copy").addEventListener("click", () => {
    getSelection().selectAllChildren(byId("command"));
    document.execCommand("copy");
  });
}

function start() {
  document.title = `${story.title} (seed ${story.seed})`;
  byId("title").textContent = story.title;
  byId("protocol").textContent = `${story.protocol} · seed ${story.seed}`;
  byId("counts").textContent =
    `· ${(end / 1000).toFixed(0)} ms · ${messages.count.toLocaleString("en")} messages`;
  byId("command").textContent = story.replay;
  byId("replay").hidden = story.replay === "";
  body.dataset.messages = String(messages.count);
  body.dataset.marks = String(marks.length);
  body.dataset.found = "0";
  showFailure();
  showEvents();
  showLegend();
  showSelection();
  drawIcons();
  layOutOverview();
  show(WHOLE.from, WHOLE.to);
  drawAll();
  followAddress();
  drawAll();
  listenToMouse();
  listenToOverview();
  listenToKeys();
  isRemembering = true;
  window.addEventListener("hashchange", followAddress);
  new ResizeObserver(drawAll).observe(byId("diagram"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    ink = readInk();
    drawIcons();
    showSelection();
    redraw();
  });
  body.dataset.ready = "1";
}

start();
