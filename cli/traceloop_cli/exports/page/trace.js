// The trace: columns of numbers, one place for each item, in the order of time.
const KINDS = ["files", "network", "process", "memory", "waiting", "other", "signal", "exit", "lost"];
const MEMORY = 3, WAITING = 4, SIGNAL = 6, EXIT = 7, LOST = 8;
const trace = JSON.parse(document.getElementById("trace").textContent);
const count = trace.items.at.length;
const at = new Float64Array(count), took = new Float64Array(count), open = new Uint8Array(count);
const lane = Int32Array.from(trace.items.lane), what = Uint8Array.from(trace.items.what);
const failed = Uint8Array.from(trace.items.error, (text) => (text ? 1 : 0));
const matches = new Uint8Array(count);
const lanes = trace.lanes.map(([pid, tid, row, comm]) => ({ pid, tid, row, comm, items: [], ends: Infinity }));
const losses = [];

for (let n = 0, now = trace.start; n < count; n++) {
  now += trace.items.at[n];
  at[n] = now;
  open[n] = trace.items.took[n] < 0 ? 1 : 0;
  took[n] = open[n] ? -1 - trace.items.took[n] : trace.items.took[n];
  if (lane[n] < 0) losses.push(n);
  else lanes[lane[n]].items.push(n);
}
for (const one of lanes) {
  one.items = Int32Array.from(one.items);
  one.begins = one.items.length ? at[one.items[0]] : 0;
  // The end of the longest item so far: finds what reaches into a view from before it.
  const last = one.items.length ? one.items[one.items.length - 1] : -1;
  one.ends = last < 0 ? 0 : Math.max(at[last] + took[last], what[last] === EXIT ? at[last] : trace.end);
}

const text = (n) => trace.strings[trace.items.text[n]];
const name = (n) => trace.strings[trace.items.name[n]];
const error = (n) => trace.strings[trace.items.error[n]];

// The first of a lane's items that ends after a time; items of a lane do not overlap, but signals lie within calls.
function firstFrom(one, time) {
  let low = 0, high = one.items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[one.items[middle]] < time) low = middle + 1;
    else high = middle;
  }
  while (low > 0 && what[one.items[low - 1]] === SIGNAL) low--;
  return Math.max(0, low - 1);
}

function clock(ns) {
  const sign = ns < 0 ? "-" : "", whole = Math.abs(Math.round(ns)), seconds = Math.floor(whole / 1e9);
  const two = (number) => String(number).padStart(2, "0");
  return `${sign}${two(Math.floor(seconds / 60))}:${two(seconds % 60)}.${String(whole % 1e9).padStart(9, "0")}`;
}

function span(ns) {
  const [size, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : ns >= 1e3 ? [1e3, "\u00b5s"] : [1, "ns"];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

function who(n) {
  if (lane[n] < 0) return "all threads";
  const one = lanes[lane[n]];
  return `${one.comm} ${one.tid}${one.row ? " io_uring" : ""}`;
}

function duration(n) {
  if (what[n] === SIGNAL || what[n] === EXIT || what[n] === LOST) return "";
  return open[n] ? `${span(took[n])}, not returned` : span(took[n]);
}

// Marks the items that contain the words; returns how many.
function search(words) {
  const wanted = words.toLowerCase();
  const fits = trace.strings.map((string) => wanted !== "" && string.toLowerCase().includes(wanted));
  const named = lanes.map((one) => wanted !== "" && `${one.comm} ${one.tid}`.toLowerCase().includes(wanted));
  let found = 0;
  for (let n = 0; n < count; n++) {
    const fit = fits[trace.items.text[n]] || fits[trace.items.name[n]] || (lane[n] >= 0 && named[lane[n]]);
    matches[n] = fit ? 1 : 0;
    found += matches[n];
  }
  return found;
}
