// Draws the view: an overview of the whole trace, the axis, and the lanes.
const GUTTER = 196, LANE = 30, BAR = 15, TOP = 6, LABEL_MIN = 44, LANES_PRINTED = 60;
// A call that took as long waited rather than worked: only its beginning has the full colour.
const LONG_NS = 5e5, LONG_PX = 12, PALE = 0.26, EDGE = 3, ASIDE = 0.45, ROUTINE = ["SIGCHLD", "SIGURG"];
const view = { from: trace.start, to: trace.end };
const whole = { from: trace.start, to: trace.end };
const state = { chosen: -1, hovered: -1, printing: false, searches: 0 };
const canvases = { overview: 0, axis: 0, chart: 0 };
for (const id of Object.keys(canvases)) canvases[id] = document.getElementById(id);
const scroller = document.getElementById("lanes"), extent = document.getElementById("extent");
let colours = {}, hatch = null;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = {};
  for (const key of ["page", "ink", "muted", "line", "soft", "choice", "focus", "error", "hatch", ...KINDS.slice(0, 6)])
    colours[key] = style.getPropertyValue(`--${key}`).trim();
  colours.text = style.getPropertyValue("--text");
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colours.hatch;
  pen.lineWidth = 1.2;
  for (const x of [-8, 0, 8]) {
    pen.beginPath();
    pen.moveTo(x, 8);
    pen.lineTo(x + 8, 0);
    pen.stroke();
  }
  hatch = pen.createPattern(tile, "repeat");
}

// A pen for a canvas of this height, in CSS pixels.
function penFor(canvas, height) {
  const ratio = state.printing ? 3 : window.devicePixelRatio || 1;
  const width = canvas.parentElement.clientWidth;
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  canvas.style.height = state.printing ? "auto" : `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.textBaseline = "middle";
  return [pen, width];
}

const scale = (width) => (width - GUTTER - 12) / (view.to - view.from);
const xOf = (time, width) => GUTTER + (time - view.from) * scale(width);
const timeOf = (x, width) => view.from + (x - GUTTER) / scale(width);

function fit(pen, string, width) {
  if (pen.measureText(string).width <= width) return string;
  let low = 0, high = string.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${string.slice(0, middle)}\u2026`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low > 1 ? `${string.slice(0, low)}\u2026` : "";
}

function drawLosses(pen, from, per, x0, width, height) {
  pen.fillStyle = hatch;
  for (const n of losses) {
    const left = Math.max(x0, x0 + (at[n] - from) * per), right = Math.min(width, x0 + (at[n] + took[n] - from) * per);
    if (right >= x0 && left <= width) pen.fillRect(left, 0, Math.max(1.5, right - left), height);
  }
}

// What each column of the overview has; counted anew when its width or the search changes.
let counted = { columns: 0 };

function overviewCounts(columns, per) {
  if (counted.columns === columns && counted.searches === state.searches) return counted;
  const busy = new Float64Array(columns), errors = new Uint8Array(columns), found = new Uint8Array(columns);
  for (let n = 0; n < count; n++) {
    if (what[n] === LOST) continue;
    const column = Math.min(columns - 1, Math.max(0, Math.floor((at[n] - whole.from) * per)));
    busy[column]++;
    if (failed[n]) errors[column] = 1;
    if (matches[n]) found[column] = 1;
  }
  counted = { columns, searches: state.searches, busy, errors, found };
  return counted;
}

function drawOverview() {
  const [pen, width] = penFor(canvases.overview, 44);
  const per = (width - GUTTER - 12) / (whole.to - whole.from), columns = Math.max(1, Math.floor(width - GUTTER - 12));
  const { busy, errors, found } = overviewCounts(columns, per);
  const most = Math.log1p(busy.reduce((one, other) => Math.max(one, other), 1));
  drawLosses(pen, whole.from, per, GUTTER, width, 44);
  for (let column = 0; column < columns; column++) {
    if (!busy[column]) continue;
    const height = Math.max(2, (Math.log1p(busy[column]) / most) * 24);
    pen.fillStyle = colours.other;
    pen.fillRect(GUTTER + column, 34 - height, 1, height);
    if (errors[column]) {
      pen.fillStyle = colours.error;
      pen.fillRect(GUTTER + column - 0.5, 36, 2, 5);
    }
    if (found[column]) {
      pen.fillStyle = colours.focus;
      pen.fillRect(GUTTER + column - 0.5, 3, 2, 5);
    }
  }
  const left = GUTTER + (view.from - whole.from) * per, right = GUTTER + (view.to - whole.from) * per;
  pen.fillStyle = colours.focus;
  pen.globalAlpha = 0.13;
  pen.fillRect(left, 0, Math.max(2, right - left), 44);
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.focus;
  pen.strokeRect(left + 0.5, 0.5, Math.max(2, right - left) - 1, 43);
  pen.fillStyle = colours.muted;
  pen.font = `12px ${colours.text}`;
  pen.fillText("Whole trace", 10, 15);
  pen.fillText(`${span(trace.end - trace.start)}, ${count.toLocaleString("en")} lines`, 10, 31);
}

// Ticks of 1, 2 or 5 times a power of ten, far enough from each other for their labels.
function ticks(width) {
  const least = 110 / scale(width), power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least);
  const places = Math.max(0, 9 - Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step)
    found.push([time, `${(time / 1e9).toFixed(Math.min(9, places))} s`]);
  return found;
}

function drawAxis(marks) {
  const [pen, width] = penFor(canvases.axis, 26);
  pen.font = `11px ${colours.text}`;
  pen.fillStyle = colours.muted;
  pen.strokeStyle = colours.line;
  for (const [time, label] of marks) {
    const x = Math.round(xOf(time, width)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, 19);
    pen.lineTo(x, 26);
    pen.stroke();
    const half = pen.measureText(label).width / 2;
    pen.fillText(label, Math.min(width - 2 * half - 2, x - half), 10);
  }
}

function drawChart(marks) {
  const shown = state.printing ? Math.min(lanes.length, LANES_PRINTED) : lanes.length;
  const height = state.printing ? shown * LANE : Math.min(lanes.length * LANE, scroller.clientHeight || lanes.length * LANE);
  extent.style.height = state.printing ? "auto" : `${shown * LANE}px`;
  const [pen, width] = penFor(canvases.chart, height);
  const scrolled = state.printing ? 0 : scroller.scrollTop;
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, 0, width - GUTTER, height);
  pen.clip();
  drawLosses(pen, view.from, scale(width), GUTTER, width, height);
  pen.strokeStyle = colours.line;
  pen.lineWidth = 1;
  for (const [time] of marks) {
    const x = Math.round(xOf(time, width)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, height);
    pen.stroke();
  }
  pen.restore();
  const first = Math.max(0, Math.floor(scrolled / LANE)), last = Math.min(shown, Math.ceil((scrolled + height) / LANE));
  for (let number = first; number < last; number++) drawLane(pen, number, number * LANE - scrolled, width);
}

function drawLane(pen, number, y, width) {
  const one = lanes[number], leads = number === 0 || lanes[number - 1].pid !== one.pid;
  pen.lineWidth = 1;
  if (leads && number) {
    pen.strokeStyle = colours.line;
    pen.beginPath();
    pen.moveTo(0, y + 0.5);
    pen.lineTo(width, y + 0.5);
    pen.stroke();
  }
  const middle = y + TOP + BAR / 2, indent = leads ? 10 : 24;
  if (one.begins > view.to || one.ends < view.from) pen.globalAlpha = ASIDE;
  const id = one.row ? "io_uring" : String(one.tid);
  pen.font = `11px ${colours.text}`;
  pen.fillStyle = colours.muted;
  const idWidth = pen.measureText(id).width;
  pen.fillText(id, GUTTER - 16 - idWidth, middle);
  pen.font = `${leads ? "600 " : ""}13px ${colours.text}`;
  pen.fillStyle = one.row ? colours.muted : colours.ink;
  pen.fillText(fit(pen, one.comm, GUTTER - 26 - idWidth - indent), indent, middle);
  pen.globalAlpha = 1;
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, y, width - GUTTER, LANE);
  pen.clip();
  drawItems(pen, one, y, width);
  pen.restore();
}

function drawItems(pen, one, y, width) {
  const per = scale(width), left = GUTTER, right = width;
  const lifeFrom = Math.max(left, xOf(one.begins, width)), lifeTo = Math.min(right, xOf(one.ends, width));
  if (lifeTo > lifeFrom) {
    pen.fillStyle = colours.line;
    pen.fillRect(lifeFrom, y + TOP + BAR / 2 - 0.5, lifeTo - lifeFrom, 1);
  }
  // Calls narrower than a pixel share its column; the kind that took longest there gives the colour.
  const weights = new Float64Array(6), later = [], labels = [];
  let column = -1, ticked = -9;
  const flush = () => {
    if (column < 0) return;
    let best = -1;
    for (let kind = 0; kind < 6; kind++)
      if (weights[kind] > 0 && (best < 0 || best === WAITING || (kind !== WAITING && weights[kind] > weights[best]))) best = kind;
    if (best >= 0) {
      pen.fillStyle = colours[KINDS[best]];
      pen.fillRect(column, y + TOP, 1.25, BAR);
    }
    weights.fill(0);
  };
  for (let place = firstFrom(one, view.from); place < one.items.length; place++) {
    const n = one.items[place];
    if (at[n] > view.to) break;
    const x = left + (at[n] - view.from) * per, wide = took[n] * per;
    if (what[n] >= SIGNAL) {
      if (x >= left - 6) later.push([n, x]);
      continue;
    }
    if (x + wide < left - 2) continue;
    if (wide >= 1.5) {
      flush();
      column = -1;
      const from = Math.max(left, x), to = Math.min(right, x + wide);
      const drawn = Math.max(1, to - from - (wide > 4 ? 0.75 : 0)), pale = isPale(n, wide);
      pen.fillStyle = colours.page;
      if (pale) pen.fillRect(from, y + TOP, drawn, BAR);
      if (pale) pen.globalAlpha = PALE;
      pen.fillStyle = colours[KINDS[what[n]]];
      pen.fillRect(from, y + TOP, drawn, BAR);
      pen.globalAlpha = 1;
      if (pale && x >= left) pen.fillRect(from, y + TOP, EDGE, BAR);
      if (to - from > LABEL_MIN) labels.push([n, from, to - from]);
    } else {
      const now = Math.floor(x);
      if (now !== column) {
        flush();
        column = now;
      }
      weights[what[n]] += Math.max(1, took[n]);
    }
    if (failed[n] && x - ticked >= 1.5) {
      pen.fillStyle = colours.error;
      pen.fillRect(Math.max(left, x), y + TOP + BAR + 1.5, 2.5, 6);
      ticked = x;
    }
    if (matches[n]) {
      pen.fillStyle = colours.focus;
      pen.fillRect(Math.max(left, x), y + 1, Math.max(2, Math.min(right, x + wide) - Math.max(left, x)), 3);
    }
  }
  flush();
  pen.font = `11px ${colours.text}`;
  for (const [n, from, wide] of labels) {
    pen.fillStyle = what[n] === WAITING || isPale(n, wide) ? colours.ink : what[n] === MEMORY ? "#1c2126" : colours.page;
    pen.fillText(fit(pen, labelOf(n, wide), wide - 12), from + 7, y + TOP + BAR / 2 + 0.5);
  }
  drawMarks(pen, later, y);
  for (const n of [state.hovered, state.chosen]) {
    if (n < 0 || lanes[lane[n]] !== one || (state.printing && n !== state.chosen)) continue;
    const x = Math.max(left - 2, left + (at[n] - view.from) * per), end = left + (at[n] + took[n] - view.from) * per;
    pen.strokeStyle = n === state.chosen ? colours.ink : colours.muted;
    pen.lineWidth = n === state.chosen ? 2 : 1.25;
    pen.strokeRect(x - 1.5, y + TOP - 2, Math.max(3, Math.min(right + 4, end) - x + 3), BAR + 4);
  }
}

function isPale(n, wide) {
  return what[n] !== WAITING && wide >= LONG_PX && took[n] >= LONG_NS;
}

function labelOf(n, wide) {
  const line = text(n), quoted = /"((?:[^"\\]|\\.)*)"/.exec(line);
  return wide > 110 && quoted && quoted[1] ? `${name(n)} ${quoted[1]}` : name(n);
}

// Signals and ends. Labels are placed from the right, as the last ones matter most; one without room is left out.
function drawMarks(pen, marks, y) {
  const middle = y + TOP + BAR / 2, room = canvases.chart.parentElement.clientWidth - 4;
  let free = room, told = -1; // a signal that the label of the end after it names
  for (let place = marks.length - 1; place >= 0; place--) {
    const [n, x] = marks[place], ended = what[n] === EXIT;
    const colour = !ended ? colours.ink : failed[n] ? colours.error : colours.muted;
    if (ended) {
      pen.fillStyle = colour;
      pen.fillRect(x - 1, y + TOP - 3, 2.5, BAR + 6);
    } else diamond(pen, n, x, y);
    if (!ended && (ROUTINE.includes(name(n)) || n === told)) continue;
    const killed = ended && place > 0 && name(n).endsWith(name(marks[place - 1][0])) ? marks[place - 1][0] : n;
    if (killed !== n) told = killed;
    const label = name(n) + (what[killed] === SIGNAL ? sender(killed) : "");
    pen.font = `${ended && !failed[n] ? 400 : 600} 11px ${colours.text}`;
    const wide = pen.measureText(label).width;
    const from = x + 9 + wide <= free ? x + 9 : x - 9 - wide;
    if (x < GUTTER - 1 || from + wide > free || from < GUTTER) continue;
    pen.fillStyle = colours.page;
    pen.globalAlpha = 0.88;
    pen.fillRect(from - 3, middle - 8, wide + 6, 16);
    pen.globalAlpha = 1;
    pen.fillStyle = colour;
    pen.fillText(label, from, middle + 0.5);
    free = Math.min(from, x) - 8;
  }
}

function sender(n) {
  const sent = /sent by pid (\d+) \[(.*)\]$/.exec(text(n));
  return sent ? ` from ${sent[2]} ${sent[1]}` : "";
}

function diamond(pen, n, x, y) {
  const middle = y + TOP + BAR / 2, routine = ROUTINE.includes(name(n)), size = routine ? 3.5 : 5.5;
  pen.fillStyle = routine ? colours.muted : colours.ink;
  if (!routine) pen.fillRect(x - 0.5, y + 2, 1, LANE - 4);
  pen.beginPath();
  pen.moveTo(x, middle - size);
  pen.lineTo(x + size, middle);
  pen.lineTo(x, middle + size);
  pen.lineTo(x - size, middle);
  pen.fill();
}

function draw() {
  const marks = ticks(scroller.clientWidth);
  drawOverview();
  drawAxis(marks);
  drawChart(marks);
  document.getElementById("span").textContent =
    `${clock(view.from).slice(0, -3)} to ${clock(view.to).slice(0, -3)} (${span(view.to - view.from)})`;
}
