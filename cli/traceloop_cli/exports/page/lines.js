// The list of lines: only those that are in sight exist as elements.
const ROW = 22, MOST_PX = 3e7, PRINTED = 60, LINE_PRINTED = 240;
const list = document.getElementById("list"), rows = document.getElementById("rows");

function row(n) {
  const made = document.createElement("div");
  made.className = ["row", failed[n] && what[n] !== LOST ? "error" : "", what[n] === LOST ? "lost" : "",
    matches[n] ? "match" : "", n === state.chosen ? "chosen" : ""].filter(Boolean).join(" ");
  made.style.top = `${n * ROW}px`;
  for (const [kind, content] of [["at", clock(at[n])], ["who", who(n)], ["took", took[n] && duration(n) ? span(took[n]) : ""]]) {
    const cell = document.createElement("span");
    cell.className = kind;
    cell.textContent = content;
    made.append(cell);
  }
  const line = document.createElement("b");
  line.textContent = text(n);
  made.append(line);
  made.addEventListener("click", () => choose(n, { centre: true }));
  return made;
}

function listDrawn() {
  rows.style.height = `${Math.min(MOST_PX, count * ROW)}px`;
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const last = Math.min(count, first + Math.ceil(list.clientHeight / ROW) + 8);
  const made = [];
  for (let n = first; n < last; n++) made.push(row(n));
  rows.replaceChildren(...made);
}

function listChosen(n) {
  if (n >= 0) {
    const y = n * ROW;
    if (y < list.scrollTop || y + ROW > list.scrollTop + list.clientHeight) list.scrollTop = y - list.clientHeight / 2;
  }
  listDrawn();
}

// Scrolls to the first line since a time.
function listAt(time) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle] < time) low = middle + 1;
    else high = middle;
  }
  list.scrollTop = low * ROW;
}

// What is printed: the last lines of the view, in words.
function printedLines() {
  let last = count;
  while (last > 0 && at[last - 1] > view.to) last--;
  const lines = [];
  for (let n = Math.max(0, last - PRINTED); n < last; n++) lines.push(`${clock(at[n])} ${who(n)} ${text(n)}`.slice(0, LINE_PRINTED));
  return lines.join("\n");
}
