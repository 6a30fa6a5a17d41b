// Which messages belong together, and how they look. Families have colours that stay apart for
// colour-blind readers (after Okabe and Ito); questions and answers of a family share its colour.

const FAMILIES = [
  { name: "Phase 2", color: "phase2", kinds: ["Phase2A", "Phase2B"] },
  { name: "Phase 1", color: "phase1", kinds: ["Phase1A", "Phase1B"] },
  { name: "refusals", color: "refusal", kinds: ["Nack", "MatchNack"] },
  {
    name: "matchmaking",
    color: "matching",
    kinds: ["MatchA", "MatchB", "NewestA", "NewestB", "StopA", "StopB", "BootstrapA", "BootstrapB"],
  },
  {
    name: "reconfiguration",
    color: "operator",
    kinds: ["ReconfigureA", "ReconfigureB", "StatusA", "StatusB", "CollectedA", "CollectedB"],
  },
  {
    name: "collection",
    color: "collection",
    kinds: ["GarbageA", "GarbageB", "PersistedA", "PersistedB", "ArchivedA", "ArchivedB", "Store"],
  },
  { name: "learning", color: "learning", kinds: ["Chosen", "FetchA", "FetchB"] },
  { name: "commands", color: "command", kinds: ["Invoke", "Request", "Executed", "Return"] },
  {
    name: "reads",
    color: "reading",
    kinds: ["ReadIndexA", "ReadIndexB", "ReadA", "ReadB", "Query", "Answered"],
  },
  {
    name: "keep-alive",
    color: "quiet",
    kinds: ["Heartbeat", "Leading", "ProbeA", "ProbeB", "ChosenWatermark"],
  },
  { name: "other", color: "other", kinds: [] },
];

// What keeps a quiet cluster alive, and is hidden until it is asked for.
const BORING = new Set([
  "Heartbeat",
  "Leading",
  "ProbeA",
  "ProbeB",
  "ChosenWatermark",
  "ReadA",
  "ReadB",
  "ReadIndexA",
]);

const kinds = messages.kinds.map((name) => {
  const known = FAMILIES.findIndex((family) => family.kinds.includes(name));
  const family = known < 0 ? FAMILIES.length - 1 : known;
  const isAnswer = name.length > 1 && name.endsWith("B");
  return { name, family, isAnswer, isShown: !BORING.has(name), count: 0 };
});
for (const kind of messages.kind) kinds[kind].count += 1;

// Symbols: `isMain` ones tell the story, the others are details. The rarer, the later drawn.
const MARKS = {
  timer: { name: "timer fired", color: "quiet", isMain: false, isShown: false },
  record: { name: "record durable", color: "muted", isMain: false, isShown: true },
  call: { name: "call", color: "command", isMain: false, isShown: true },
  return: { name: "return", color: "command", isMain: false, isShown: true },
  collection: {
    name: "old configurations collected",
    color: "collection",
    isMain: true,
    isShown: true,
  },
  activation: { name: "configuration in use", color: "operator", isMain: true, isShown: true },
  lead: { name: "new leader", color: "phase1", isMain: true, isShown: true },
  start: { name: "start", color: "command", isMain: true, isShown: true },
  fault: { name: "fault", color: "refusal", isMain: true, isShown: true },
  crash: { name: "crash", color: "refusal", isMain: true, isShown: true },
  situation: { name: "watched situation", color: "matching", isMain: true, isShown: true },
  violation: { name: "violation", color: "refusal", isMain: true, isShown: true },
};

// A band is not listed as an event beside the mark that says the same.
const BANDS = {
  down: { name: "down", color: "refusal", sign: "crash" },
  paused: { name: "paused", color: "quiet", sign: "fault" },
  cut: { name: "cut off", color: "refusal", sign: "fault" },
  slow_disk: { name: "slow disk", color: "operator", sign: "fault" },
  leader: { name: "leads", color: "phase1", sign: "lead" },
  configuration: { name: "configuration", color: "operator", sign: "activation" },
};

// Names of configurations in the order of their first use: neighbours in time differ in colour.
const configurationNames = [];
for (const band of bands) {
  if (band.kind !== "configuration") continue;
  band.name = band.label.split(" ")[0];
  if (!configurationNames.includes(band.name)) configurationNames.push(band.name);
}

const VERSION_COLORS = 4;
const PROCESS_COLORS = 5;
let ink = readInk();

function readInk() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue("--" + name).trim();
  const inks = { version: [], process: [] };
  for (let i = 0; i < VERSION_COLORS; i += 1) inks.version.push(read("version" + i));
  for (let i = 0; i < PROCESS_COLORS; i += 1) inks.process.push(read("process" + i));
  for (const name of [
    "ground",
    "panel",
    "tint",
    "line",
    "lane",
    "text",
    "muted",
    "accent",
    "down",
    "cut",
    "onSoft",
    ...FAMILIES.map((family) => family.color),
  ])
    inks[name] = read(name);
  return inks;
}

function inkOfKind(kind) {
  return ink[FAMILIES[kinds[kind].family].color];
}

function inkOfProcess(process) {
  return ink.process[process % PROCESS_COLORS];
}

function inkOfBand(band) {
  if (band.kind === "configuration")
    return ink.version[configurationNames.indexOf(band.name) % VERSION_COLORS];
  if (band.kind === "leader") {
    const process = band.node === null ? band.process : nodes[band.node].process;
    return inkOfProcess(process || 0);
  }
  return ink[BANDS[band.kind].color];
}
