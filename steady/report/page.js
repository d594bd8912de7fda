"use strict";
// Search in the rows won and lost, where the page has them.
const search = document.getElementById("search");
const rows = [...document.querySelectorAll("#rows tbody tr")];
const texts = rows.map(row => row.textContent.toLowerCase());
function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, place) => {
    row.hidden = !words.every(word => texts[place].includes(word));
    count += row.hidden ? 0 : 1;
  });
  document.getElementById("matches").textContent = ` ${count} of ${rows.length} rows`;
}
search?.addEventListener("input", find);
// What a mark of a chart says, under the pointer and under the keyboard.
const tip = document.getElementById("tip");
const marks = [...document.querySelectorAll("svg [role=graphics-symbol][aria-label]")].filter(mark => mark.getAttribute("aria-roledescription") !== "axis");
function say(mark) {
  const box = mark.getBoundingClientRect();
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${box.top > 60 ? box.top - tip.offsetHeight - 6 : box.bottom + 6}px`;
}
const hush = () => { tip.hidden = true; };
for (const mark of marks) {
  mark.addEventListener("pointerenter", () => say(mark));
  mark.addEventListener("pointerleave", hush);
  mark.addEventListener("focus", () => say(mark));
  mark.addEventListener("blur", hush);
}
// One stop of the tab key for each chart, arrows from mark to mark.
for (const chart of document.querySelectorAll("figure svg")) {
  const own = marks.filter(mark => chart.contains(mark));
  own.forEach((mark, place) => mark.setAttribute("tabindex", place ? "-1" : "0"));
  chart.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const place = own.indexOf(document.activeElement);
    if (event.key === "Escape") hush();
    if (!step || place < 0) return;
    event.preventDefault();
    const next = own[(place + step + own.length) % own.length];
    own.forEach(mark => mark.setAttribute("tabindex", mark === next ? "0" : "-1"));
    next.focus();
  });
}
// From one matrix to the next: the old one closes, the new one opens and has the focus.
for (const link of document.querySelectorAll(".walk a")) {
  link.addEventListener("click", event => {
    const next = document.querySelector(link.getAttribute("href"));
    event.preventDefault();
    link.closest("details").open = false;
    next.open = true;
    next.querySelector("summary").focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  });
}
// On paper every part is open; of the matrices, which would fill a book, those that were.
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.matrix)").forEach(part => { part.open = true; }));
