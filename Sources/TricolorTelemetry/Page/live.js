// Keeps the page of a running process moving: asks for what is new, draws it, and says when there is nothing more to come.
"use strict";

const POLL = 400, PATIENCE = 2000;
// More samples than this and the page takes the server's own, thinner history instead.
const MOST_SAMPLES = 4000;
const WINDOWS = [["30 s", 30e9], ["2 min", 120e9], ["10 min", 600e9], ["all", 0]];

let history_ = newHistory(), run = null, ending = null, answeredAt = null;
const view = { window: 120e9, cursor: null };
const element = document.getElementById("bands");

async function poll() {
  let isThere = false;
  try {
    const answer = await fetch(`samples?since=${history_.last}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    take(await answer.json());
    isThere = true;
  } catch (error) {
    say(error);
  }
  setTimeout(poll, isThere && ending === null ? POLL : PATIENCE);
}

// A response of another process than before, or more samples than a page should hold, begin the history anew.
function take(response) {
  if (run !== null && (response.run !== run || history_.samples.length > MOST_SAMPLES)) {
    history_ = newHistory();
    run = null;
    return;
  }
  run = response.run;
  ending = response.ended;
  answeredAt = new Date();
  document.title = `${response.title} – tricolor`;
  document.getElementById("title").textContent = response.title;
  document.getElementById("subtitle").textContent = response.subtitle;
  absorb(history_, response);
  status(ending === null ? "running" : `The run has ended: ${ending.text}`, ending === null ? "faint" : ending.isGood ? "good" : "bad");
  facts(response);
  draw();
}

// Nobody answers. After a last word that is expected; without one the process was killed, or the network is gone.
function say(error) {
  if (ending !== null) return;
  if (answeredAt === null) return status(`No answer (${error.message}); trying again.`, "bad");
  status(`The run has ended without a last word, or cannot be reached: no answer since ${answeredAt.toLocaleTimeString()}. Trying again.`, "bad");
}

function status(text, kind) {
  const place = document.getElementById("status");
  if (place.textContent !== text) place.textContent = text;
  place.className = kind;
}

function facts(response) {
  const now = history_.samples.at(-1);
  if (!now) return;
  const before = sampleAt(history_.samples, now.time - 2e9);
  const seconds = (now.time - before.time) / 1e9;
  const limit = now.limit ?? now.groupLimit;
  const list = [
    ["phase", response.phase || "–"], ["time", clock(now.time)],
    ["operations per second", seconds > 0 ? count((now.operations - before.operations) / seconds) : "–"],
    ["resident", limit ? `${bytes(now.resident)} of ${bytes(limit)}` : bytes(now.resident)],
    ["live", bytes(now.live)], ["cycles", count(now.cycles)],
    ["collector's CPU", percent(collectorShare(before, now))], ["operation p99", duration(now.operation)],
    ["memory pressure", response.pressure],
  ];
  document.getElementById("facts").innerHTML = list.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeText(value)}</dd></div>`).join("");
}

let isDrawing = false;
function draw() {
  if (isDrawing || document.hidden) return;
  isDrawing = true;
  requestAnimationFrame(() => { isDrawing = false; drawBands(element, history_, view); });
}

for (const [name, window] of WINDOWS) {
  const button = document.createElement("button");
  button.textContent = name;
  button.setAttribute("aria-pressed", String(window === view.window));
  button.onclick = () => {
    view.window = window;
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    draw();
  };
  document.getElementById("windows").append(button);
}
followPointer(element, view, draw);
addEventListener("resize", draw);
document.addEventListener("visibilitychange", draw);
poll();
