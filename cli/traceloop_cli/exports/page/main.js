// Starts: the theme, the first view, and what follows the window.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function theme() {
  document.documentElement.dataset.theme = dark.matches && !state.printing ? "dark" : "light";
  readColours();
}

let folded = [];

function printing(now) {
  if (now && !state.printing) folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = now;
  state.printing = now;
  theme();
  if (now) document.getElementById("printed").textContent = printedLines();
  draw();
}

// A little room after the end, for its mark.
whole.to = trace.end + Math.max(1000, (trace.end - trace.start) * 0.09);
if (!lanes.length) document.querySelector(".picture").hidden = true;
theme();
show(whole.from, whole.to);
showEnd();
followMouse();
followOverview();
followSearch();
followKeys();
dark.addEventListener("change", () => {
  theme();
  redraw();
});
window.addEventListener("beforeprint", () => printing(true));
window.addEventListener("afterprint", () => printing(false));
new ResizeObserver(redraw).observe(scroller);
list.addEventListener("scroll", listDrawn);
listDrawn();
list.scrollTop = list.scrollHeight;
draw();
