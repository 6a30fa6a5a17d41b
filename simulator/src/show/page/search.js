// Text in messages, marks and states.

// In the order of time: { type, at, ... } as in a selection.
let hits = [];
let hitIndex = -1;

function search(wanted) {
  hits = [];
  hitIndex = -1;
  const needle = wanted.trim().toLowerCase();
  if (needle === "") return;
  const isFound = texts.map((text) => text.toLowerCase().includes(needle));
  const names = kinds.map((kind) => kind.name.toLowerCase().includes(needle));
  for (let i = 0; i < messages.count; i += 1) {
    if (isFound[messages.text[i]] || names[messages.kind[i]]) {
      hits.push({ type: "message", at: messages.sent[i], i });
    }
  }
  for (const mark of marks) {
    if ((mark.kind + " " + mark.text).toLowerCase().includes(needle)) {
      hits.push({ type: "mark", at: mark.at, mark });
    }
  }
  // A state that goes on saying it is no news: it counts where a node begins to say it.
  states.forEach((list, node) => {
    list.forEach((state, i) => {
      const isNews = i === 0 || !isFound[list[i - 1].text];
      if (isFound[state.text] && isNews) hits.push({ type: "node", at: state.at, node });
    });
  });
  hits.sort((a, b) => a.at - b.at);
}

// Goes to the next hit, or to the previous one; the first time, to the one nearest to the view.
function turnHit(by) {
  if (hits.length === 0) return null;
  if (hitIndex < 0) {
    const first = hits.findIndex((hit) => hit.at >= view.from);
    hitIndex = first < 0 ? hits.length - 1 : first;
  } else {
    hitIndex = (hitIndex + by + hits.length) % hits.length;
  }
  return hits[hitIndex];
}
