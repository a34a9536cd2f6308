// Moves the view: buttons, keys, mouse, wheel and search.
const LEAST_NS = 200, LAST_ITEMS = 300, LAST_LEAST_NS = 2e8, LAST_MOST_NS = 1e10, NEARLY = 0.6;
let waiting = 0;

function redraw() {
  if (!waiting) waiting = requestAnimationFrame(() => {
    waiting = 0;
    draw();
  });
}

function show(from, to) {
  const length = Math.min(whole.to - whole.from, Math.max(LEAST_NS, to - from));
  view.from = Math.min(Math.max(whole.from, from), whole.to - length);
  view.to = view.from + length;
  redraw();
}

// The last moments: some hundred lines, but at least a fifth of a second and at most ten.
function showEnd() {
  const early = count ? at[Math.max(0, count - LAST_ITEMS)] : whole.from;
  const length = Math.min(LAST_MOST_NS, Math.max(LAST_LEAST_NS, trace.end - early));
  const room = length * 0.09;
  if (length > NEARLY * (trace.end - trace.start)) show(whole.from, whole.to);
  else show(trace.end - length, Math.min(whole.to, trace.end + room));
}

// Zooms around a time; else around the chosen item, if it is in view.
function zoom(factor, around = focus()) {
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

function focus() {
  const n = state.chosen;
  return n >= 0 && at[n] >= view.from && at[n] <= view.to ? at[n] : (view.from + view.to) / 2;
}

const move = (part) => show(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);

// The item at a place of the chart: within three pixels, a failure or a signal before others.
function itemAt(x, y) {
  const width = scroller.clientWidth, one = lanes[Math.floor((y + scroller.scrollTop) / LANE)];
  if (!one || x < GUTTER) return -1;
  const near = 4 / scale(width), time = timeOf(x, width);
  let best = -1, bestRank = Infinity;
  for (let place = firstFrom(one, time - near); place < one.items.length; place++) {
    const n = one.items[place];
    if (at[n] > time + near) break;
    const away = Math.max(0, at[n] - time, time - at[n] - took[n]);
    if (away > near) continue;
    const rank = away / near - (what[n] >= SIGNAL ? 4 : failed[n] ? 2 : 0) + (away === 0 ? -1 : 0);
    if (rank < bestRank) [best, bestRank] = [n, rank];
  }
  return best;
}

function choose(n, { centre = false, scroll = true } = {}) {
  state.chosen = n;
  const box = document.getElementById("chosen");
  box.hidden = n < 0;
  if (n >= 0) {
    const head = document.createElement("p"), line = document.createElement("code");
    head.textContent = [clock(at[n]), who(n), duration(n)].filter(Boolean).join("  \u00b7  ");
    line.textContent = text(n);
    box.replaceChildren(head, line);
    if (centre && (at[n] < view.from || at[n] > view.to)) {
      const half = (view.to - view.from) / 2;
      show(at[n] - half, at[n] + half);
    }
    if (lane[n] >= 0 && scroll) {
      const y = lane[n] * LANE;
      if (y < scroller.scrollTop || y + LANE > scroller.scrollTop + scroller.clientHeight)
        scroller.scrollTop = y - scroller.clientHeight / 2;
    }
  }
  listChosen(n);
  redraw();
}

function tip(n, x, y) {
  const box = document.getElementById("tip");
  box.hidden = n < 0;
  if (n < 0) return;
  const head = document.createElement("p"), line = document.createElement("code"), shown = text(n);
  head.textContent = [clock(at[n]), who(n), duration(n)].filter(Boolean).join("  \u00b7  ");
  line.textContent = shown.length > 500 ? `${shown.slice(0, 500)}\u2026` : shown;
  box.replaceChildren(head, line);
  const wide = box.offsetWidth, high = box.offsetHeight;
  box.style.left = `${Math.max(8, Math.min(x + 14, window.innerWidth - wide - 8))}px`;
  box.style.top = `${y + high + 26 > window.innerHeight ? y - high - 12 : y + 18}px`;
}

function followMouse() {
  const chart = canvases.chart;
  let held = null;
  const place = (event) => {
    const box = chart.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  chart.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, from: view.from, to: view.to, moved: false };
    chart.setPointerCapture(event.pointerId);
  });
  chart.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (held) {
      const by = (held.x - event.clientX) / ((scroller.clientWidth - GUTTER - 12) / (held.to - held.from));
      held.moved ||= Math.abs(held.x - event.clientX) > 3;
      chart.classList.toggle("held", held.moved);
      if (held.moved) show(held.from + by, held.to + by);
    }
    const n = held && held.moved ? -1 : itemAt(x, y);
    tip(n, event.clientX, event.clientY);
    if (n !== state.hovered) {
      state.hovered = n;
      redraw();
    }
  });
  chart.addEventListener("pointerup", (event) => {
    if (held && !held.moved) choose(itemAt(...place(event)), { scroll: false });
    held = null;
    chart.classList.remove("held");
  });
  chart.addEventListener("pointerleave", () => {
    tip(-1);
    state.hovered = -1;
    redraw();
  });
  chart.addEventListener("dblclick", (event) => zoom(0.25, timeOf(place(event)[0], scroller.clientWidth)));
  chart.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 250), timeOf(place(event)[0], scroller.clientWidth));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move((event.deltaX || event.deltaY) / 1000);
    else return;
    event.preventDefault();
  }, { passive: false });
  scroller.addEventListener("scroll", redraw);
}

function followOverview() {
  const overview = canvases.overview;
  let begun = null;
  const time = (event) => {
    const width = overview.parentElement.clientWidth - GUTTER - 12;
    const x = event.clientX - overview.getBoundingClientRect().left - GUTTER;
    return whole.from + (Math.max(0, Math.min(width, x)) / width) * (whole.to - whole.from);
  };
  overview.addEventListener("pointerdown", (event) => {
    begun = { time: time(event), x: event.clientX };
    overview.setPointerCapture(event.pointerId);
  });
  overview.addEventListener("pointermove", (event) => {
    if (begun && Math.abs(event.clientX - begun.x) > 3)
      show(Math.min(begun.time, time(event)), Math.max(begun.time, time(event)));
  });
  overview.addEventListener("pointerup", (event) => {
    if (begun && Math.abs(event.clientX - begun.x) <= 3) {
      const half = (view.to - view.from) / 2;
      show(begun.time - half, begun.time + half);
    }
    begun = null;
    listAt(view.from);
  });
}

function followSearch() {
  const field = document.getElementById("search"), found = document.getElementById("found");
  let total = 0, timer = 0;
  const update = () => {
    total = search(field.value.trim());
    state.searches++;
    say();
    listDrawn();
    redraw();
  };
  const say = () => {
    if (!field.value.trim()) found.textContent = "";
    else if (!total) found.textContent = "no match";
    else {
      let before = 0;
      for (let n = 0; n <= state.chosen; n++) before += matches[n];
      found.textContent = state.chosen >= 0 && matches[state.chosen] ? `${before} of ${total}` : `${total} found`;
    }
  };
  const go = (step) => {
    clearTimeout(timer);
    update();
    if (!total) return;
    const from = state.chosen < 0 ? (step > 0 ? -1 : count) : state.chosen;
    for (let n = (from + step + count) % count, tried = 0; tried < count; n = (n + step + count) % count, tried++)
      if (matches[n]) {
        choose(n, { centre: true });
        break;
      }
    say();
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, 120);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      field.value = "";
      update();
      field.blur();
    }
  });
  document.getElementById("next").addEventListener("click", () => go(1));
  document.getElementById("previous").addEventListener("click", () => go(-1));
}

function followKeys() {
  const keys = {
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2),
    Home: () => show(whole.from, whole.to), End: showEnd, Escape: () => choose(-1),
    "/": () => document.getElementById("search").focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.target === document.getElementById("search") || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  });
  const buttons = {
    "zoom-in": () => zoom(0.5), "zoom-out": () => zoom(2), "zoom-all": () => show(whole.from, whole.to), "zoom-end": showEnd,
  };
  for (const [id, act] of Object.entries(buttons)) document.getElementById(id).addEventListener("click", act);
}
