// Finished runs: their bands, and what a running process has not yet: curves over limits and windows, histograms, tables, settings. Of several
// runs the same figures lie over each other on one axis, told apart by dash, shape and name as well as by colour.
//
// In: the element "data", JSON with the runs' own objects. Everything is drawn again when the window's width changes.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.getElementById("report");
const LOOKS = [
  { dash: "", shape: "circle" }, { dash: "8 4", shape: "square" }, { dash: "2 3", shape: "triangle" }, { dash: "12 3 2 3", shape: "diamond" },
  { dash: "5 2", shape: "circle" }, { dash: "1 4", shape: "square" },
];
const runs = data.runs.map((json, index) => {
  // Beyond as many runs as there are colours, a colour comes again with another dash and shape.
  const style = LOOKS[(index + Math.floor(index / LOOKS.length)) % LOOKS.length];
  const look = { key: `run${index % LOOKS.length}`, name: data.names[index], ...style };
  if (!json.timeline) return { json, look, history: null };
  const history = newHistory();
  absorb(history, json.timeline);
  return { json, look, history };
});
const recorded = runs.filter((run) => run.history && run.history.samples.length > 1);
const painters = [];

// MARK: Elements

function add(parent, name, html = "", attributes = {}) {
  const element = document.createElement(name);
  element.innerHTML = html;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

// A part of the page that draws itself for its width.
function painted(parent, draw) {
  const element = add(parent, "div");
  painters.push(() => { if (element.clientWidth > 0) element.innerHTML = draw(element.clientWidth); });
}

function table(headings, lines, kind = "") {
  const row = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table class="${kind}">${headings ? row(headings, "th") : ""}${lines.map((cells) => row(cells, "td")).join("")}</table></div>`;
}

// MARK: Charts with axes of their own

// A frame whose horizontal axis shows values from `low` to `high`, logarithmically where `isLog`.
function valueFrame(width, low, high, isLog, right = null) {
  const isWide = width >= 560;
  const f = { width, isWide, left: 58, right: right ?? 12 };
  const at = isLog ? Math.log10 : (value) => value;
  f.x = (value) => f.left + (at(value) - at(low)) / Math.max(at(high) - at(low), 1e-9) * (width - f.left - f.right);
  return f;
}

function columns(f, ticks, bottom, name) {
  let free = -Infinity;
  return ticks.map((tick) => {
    const x = f.x(tick), text = name(tick), half = text.length * 3.3;
    if (x < f.left - 1 || x > f.width - f.right + 1) return "";
    let result = `<line class="grid" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="4" y2="${bottom}"/>`;
    const middle = Math.min(Math.max(x, f.left), f.width - half);
    if (middle - half > free) {
      result += `<text x="${middle.toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${text}</text>`;
      free = middle + half + 6;
    }
    return result;
  }).join("");
}

function decades(low, high) {
  const result = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high * 1.001; power += 1) result.push(10 ** power);
  return result;
}

function shortDuration(value) { return duration(value).replace(/\.0(?= )/, ""); }

// MARK: Runs over each other

const PANELS = [
  { name: "resident", title: "Resident memory; limits thin", value: (s) => s.resident, limit: (s) => s.limit ?? s.groupLimit, scale: "bytes" },
  { name: "heap", title: "Heap: live and new", value: (s) => s.live + s.new, scale: "bytes" },
  { name: "collector", title: "Collector's share of the CPU", scale: "share" },
  { name: "operation", title: "Operation p99", value: (s) => s.operation, scale: "duration" },
  { name: "stall", title: "Longest stall", value: (s) => s.stall, scale: "duration" },
];

function overlayPanel(width, panel) {
  const end = Math.max(...recorded.map((run) => run.history.samples.at(-1).time));
  const f = frame(width, { samples: [{ time: 0 }, { time: end }] }, { window: 0 });
  const series = recorded.map((run) => ({ look: run.look, points: pointsOf(f, run.history, panel) }));
  const measured = series.flatMap((one) => one.points.map((p) => p.value)).filter((v) => v > 0);
  // Limits far above what is used would press everything else to the ground.
  const limits = series.flatMap((one) => one.points.map((p) => p.limit)).filter((v) => v > 0 && v <= 4 * Math.max(...measured));
  const values = measured.concat(limits);
  const height = f.isWide ? 190 : 160, bottom = height - 20;
  const { y, ticks } = scaleOf(f, panel.scale, values, bottom);
  const lines = series.map(({ look, points }) => {
    const limits = points.filter((p) => p.limit).map((p) => point(f.x(p.time), y(p.limit))).join("L");
    const bound = limits && `<path class="bound" d="M${limits}" stroke="${colourOf(look)}" stroke-dasharray="${look.dash}"/>`;
    return bound + line(f, { key: "value", dash: look.dash, colour: look.key }, points, y, panel.scale === "duration");
  });
  const marks = panel.scale !== "duration" ? [] : series.flatMap(({ look, points }) => points.filter((p) => p.value > 0)
    .map((p) => shape(look.shape, f.x(p.time), y(p.value), colourOf({ key: look.key }), 2.2)));
  const names = series.map(({ look, points }) => {
    const last = points.findLast((p) => p.value !== null && p.value !== undefined);
    return { name: clipName(look.name), colour: colourOf(look), y: last ? y(last.value) : null };
  });
  return svg(f, height, `over-${panel.name}`, `${panel.title} of ${recorded.length} runs`,
    timeAxis(f, bottom) + ticks.map((t) => t.grid).join("") + clipped(`over-${panel.name}`, lines.join("") + marks.join(""))
    + ticks.map((t) => t.text).join("") + endNames(f, names, 4, bottom));
}

// The end of a name, since names of files differ there.
function clipName(name) { return escapeText(name.length > 17 ? `…${name.slice(-16)}` : name); }

function isMeasured(history, panel) { return panel.name === "collector" || history.samples.some((s) => panel.value(s) > 0); }

function pointsOf(f, history, panel) {
  if (panel.name === "collector") {
    const samples = thinned(f, history.samples, (group) => group[group.length - 1]);
    return samples.slice(1).map((sample, index) => ({ time: sample.time, value: collectorShare(samples[index], sample) }));
  }
  const pick = panel.scale === "duration" ? longest : (group) => group.reduce((a, b) => (panel.value(b) > panel.value(a) ? b : a));
  return thinned(f, history.samples, pick).map((s) => ({ time: s.time, value: panel.value(s), limit: panel.limit ? panel.limit(s) : null }));
}

function scaleOf(f, scale, values, bottom) {
  if (scale === "duration") {
    const low = Math.floor(Math.log10(Math.min(...values))), high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
    const y = (v) => bottom - (Math.log10(Math.max(v, 10 ** low)) - low) / (high - low) * (bottom - 14);
    return { y, ticks: rows(f, Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)), y, shortDuration) };
  }
  const top = Math.max(...values) * 1.07;
  const y = (v) => bottom - v / top * (bottom - 14);
  if (scale === "bytes") return { y, ticks: rows(f, byteSteps(top), y, byteName) };
  const step = roundStep(top / 4);
  return { y, ticks: rows(f, Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step), y, (v) => `${+(v * 100).toFixed(2)} %`) };
}

// MARK: Curves

function sweepChart(width) {
  const { points, lostLimits, knee } = data.sweep;
  const limits = points.map((p) => p[0]).concat(lostLimits);
  const least = Math.min(...limits), most = Math.max(...limits), margin = (most - least) * .06;
  const f = valueFrame(width, Math.max(0, least - margin), most + margin, false);
  const height = 250, bottom = height - 20;
  const { y, ticks } = scaleOf(f, "share", points.length ? points.map((p) => p[1]) : [.01], bottom);
  const path = points.map((p) => point(f.x(p[0]), y(p[1]))).join("L");
  const dots = points.map((p, index) => `<g><title>${bytes(p[0])}: ${percent(p[1])} of the CPU, ${p[2]} run${p[2] === 1 ? "" : "s"}</title>`
    + shape("circle", f.x(p[0]), y(p[1]), "var(--run0)", 5)
    + (index === knee ? `<circle class="knee" cx="${f.x(p[0])}" cy="${y(p[1])}" r="10"/>` : "") + "</g>").join("");
  const crosses = lostLimits.map((limit) => `<g><title>${bytes(limit)}: a run did not survive</title>`
    + `${shape("cross", f.x(limit), 14, "var(--bad)", 6)}</g>`).join("");
  let name = "", chord = "";
  if (knee !== null) {
    const x = f.x(points[knee][0]), isLeft = x < width / 2;
    name = `<text class="name" x="${x + (isLeft ? 14 : -14)}" y="${y(points[knee][1]) - 12}" text-anchor="${isLeft ? "start" : "end"}">`
      + `knee: ${bytes(points[knee][0])}</text>`;
    const [first, last] = [points[0], points.at(-1)].map((p) => point(f.x(p[0]), y(p[1])));
    chord = `<path class="chord" d="M${first}L${last}"/>`;
  }
  const step = byteSteps(most + margin)[1] ?? most;
  const steps = Array.from({ length: Math.floor((most + margin) / step) + 1 }, (_, i) => i * step);
  return svg(f, height, "sweep", data.sweep.sentence, columns(f, steps, bottom, byteName) + ticks.map((t) => t.grid).join("") + chord
    + (path && `<path class="line" d="M${path}" stroke="var(--run0)"/>`) + dots + crosses + name + ticks.map((t) => t.text).join(""));
}

function utilisationChart(width, shown) {
  const windows = shown.flatMap((run) => run.json.timeline.mutatorUtilisation.windows.map((p) => p[0]));
  const f = valueFrame(width, Math.min(...windows), Math.max(...windows), true, shown.length > 1 && width >= 560 ? 132 : 14);
  const height = 200, bottom = height - 20;
  const y = (share) => bottom - share * (bottom - 12);
  const ticks = rows(f, [0, .25, .5, .75, 1], y, (v) => `${v * 100} %`);
  const curves = shown.map((run) => {
    const points = run.json.timeline.mutatorUtilisation.windows;
    return `<path class="line" d="M${points.map(([w, u]) => point(f.x(w), y(u))).join("L")}" stroke="${colourOf(run.look)}" stroke-dasharray="${run.look.dash}"/>`
      + points.map(([w, u]) => `<g><title>${shortDuration(w)}: ${percent(u)}</title>${shape(run.look.shape, f.x(w), y(u), colourOf(run.look), 4)}</g>`).join("");
  });
  const names = shown.map((run) => ({ name: clipName(run.look.name), colour: colourOf(run.look), y: y(run.json.timeline.mutatorUtilisation.windows.at(-1)[1]) }));
  return svg(f, height, "utilisation", "Minimum mutator utilisation against the window's length",
    columns(f, [...new Set(windows)].sort((a, b) => a - b), bottom, shortDuration) + ticks.map((t) => t.grid).join("") + curves.join("")
    + ticks.map((t) => t.text).join("") + (shown.length > 1 ? endNames(f, names, 4, bottom) : ""));
}

function histogramChart(width, key, title, shown) {
  const bars = shown.map((run) => run.json.timeline.histograms[key]);
  const all = bars.flat();
  const low = Math.max(1, Math.min(...all.map((b) => b[0]))), high = Math.max(...all.map((b) => b[1]));
  const most = Math.max(1, Math.ceil(Math.log10(Math.max(...all.map((b) => b[2])))));
  const f = valueFrame(width, low, Math.max(high, low * 10), true);
  const height = 150, bottom = height - 20;
  // A count of one is half a step high, so that it can be seen.
  const y = (count) => bottom - (count < 1 ? 0 : (Math.log10(count) + .3) / (most + .3) * (bottom - 10));
  const ticks = rows(f, Array.from({ length: most + 1 }, (_, i) => 10 ** i).filter((_, i) => most < 5 || i % 2 === 0), y, count);
  const drawn = bars.map((own, index) => (shown.length === 1 ? filledBars(f, own, y, bottom) : outline(f, own, y, bottom, shown[index].look)));
  return svg(f, height, `histogram-${key}`, title, columns(f, decades(low, Math.max(high, low * 10)), bottom, shortDuration)
    + ticks.map((t) => t.grid).join("") + drawn.join("") + ticks.map((t) => t.text).join(""));
}

function filledBars(f, bars, y, bottom) {
  return bars.map(([low, high, number]) => {
    const left = f.x(Math.max(low, 1)), right = Math.max(f.x(high + 1), left + 1);
    return `<rect class="bar" x="${left.toFixed(1)}" width="${(right - left).toFixed(1)}" y="${y(number).toFixed(1)}" `
      + `height="${(bottom - y(number)).toFixed(1)}"><title>${duration(low)} to ${duration(high)}: ${count(number)}</title></rect>`;
  }).join("");
}

function outline(f, bars, y, bottom, look) {
  let path = "", end = null;
  for (const [low, high, number] of bars) {
    const left = f.x(Math.max(low, 1)), right = f.x(high + 1);
    path += end === null || left > end + .6 ? `${end === null ? "" : `V${bottom}`}M${point(left, bottom)}V${y(number).toFixed(1)}` : `V${y(number).toFixed(1)}`;
    path += `H${right.toFixed(1)}`;
    end = right;
  }
  return path && `<path class="line" d="${path}V${bottom}" stroke="${colourOf(look)}" stroke-dasharray="${look.dash}"/>`;
}

// MARK: Parts of the page

// Whether a run ended by itself; the counters of others ended with them.
function hasEnded(json) { return !json.oomKilled && json.result.endedByLimitPolicy !== true; }

function facts(run) {
  const j = run.json;
  const causes = Object.entries(j.result.cyclesByCause ?? {}).filter(([, number]) => number > 0).map(([cause, number]) => `${count(number)} ${cause}`);
  const limit = j.limitBytes ?? j.cgroupLimitBytes;
  const known = [["time", `${j.seconds.toFixed(1)} s`], ["peak RSS", limit ? `${bytes(j.peakRSSBytes)} of ${bytes(limit)}` : bytes(j.peakRSSBytes)]];
  const list = !hasEnded(j) ? known : [
    ["operations per second", count(j.operationsPerSecond)], ...known,
    ["collector's share of the CPU", percent(j.gcCPUFraction)], ["cycles", causes.join(", ") || "0"],
    ["longest hold", duration(j.pauseNanoseconds.max)], ["longest stall", duration(j.mutatorStallNanoseconds.max)],
    ["operation p99", j.operationNanoseconds.max > 0 ? duration(j.operationNanoseconds.p99) : "–"],
  ];
  return list.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeText(value)}</dd></div>`).join("");
}

function bandsOf(parent, run) {
  const view = { window: 0, cursor: null, isWhole: true };
  add(parent, "p", "Memory is named as at its peak, CPU as of the whole run, latency as the longest; where the pointer is, as at that moment.",
    { class: "faint" });
  const element = add(parent, "div");
  const draw = () => drawBands(element, run.history, view);
  followPointer(element, view, draw);
  painters.push(draw);
  return element;
}

const HELP = `<dl>
<dt>Memory</dt><dd>The layers add up to what is resident. <i>Live</i> is what the last cycle found alive, <i>new</i> what was allocated since,
alive or not. The line down from a cycle's mark ends at what that cycle left alive. Floating garbage, which is dead and not yet found to be, lies
within <i>live</i> and <i>new</i>; nobody knows how much there is until the next cycle has looked, so what is drawn is its answer: the length of
that line is what had died by then, less what was allocated while it marked. <i>Dead or unused in blocks</i> is garbage that was found and not
swept yet, free cells, and the heap's tables. <i>Free but resident</i> are free blocks whose pages were not returned to the system. <i>Foreign</i>
is memory of the process that is not the heap's. Resident memory counts pages of files that a control group may not be charged for, so it may lie
above the group's limit. A cross: operations that were turned away for want of memory, or the end by the kernel.</dd>
<dt>CPU</dt><dd>Of what the process could have had. The dashed line is the share that collection may take near the limit.</dd>
<dt>Latency</dt><dd>Logarithmic; each value is of the time since the sample before. A hold is handshake work of the collector; a stall is a hold,
an assist, sweeping for an allocation, or a wait for memory.</dd>
<dt>Utilisation</dt><dd>For each length of time the worst such window of any thread: what share of it the thread had for itself. It counts wall
time, so on a busy machine a thread that lost its processor within a stall looks worse than the collector made it.</dd></dl>`;

function tablesOf(parent, run) {
  if (!hasEnded(run.json)) return;
  add(parent, "h2", "Tables");
  const j = run.json, figures = (f, keys) => keys.map((key) => duration(f[key]));
  const kinds = Object.entries(j.result.kinds ?? {}).filter(([, f]) => f.count > 0);
  if (kinds.length) {
    add(parent, "h3", "Operations");
    add(parent, "div", table(["kind", "count", "p50", "p99", "p99.9", "p99.99", "max"],
      kinds.map(([name, f]) => [name, count(f.count), ...figures(f, ["p50", "p99", "p999", "p9999", "max"])])));
  }
  const phases = j.result.phaseTable ?? [];
  if (phases.length) {
    add(parent, "h3", "Phases");
    add(parent, "div", table(["phase", "times", "seconds", "operations", "per second", "p99", "cycles", "GC CPU", "peak RSS", "live at end"],
      phases.map((p) => [p.name, count(p.times), p.seconds.toFixed(2), count(p.operations), count(p.operationsPerSecond),
        p.operationNanoseconds.max > 0 ? duration(p.operationNanoseconds.p99) : "–", count(p.gcCycles), percent(p.gcCPUFraction), bytes(p.peakRSSBytes),
        bytes(p.heapLiveBytes)])));
  }
  add(parent, "h3", "Held threads");
  add(parent, "div", table(["what", "count", "p50", "p99", "p99.9", "max"], [
    ["holds", j.pauseNanoseconds], ["holds, CPU", j.pauseCPUNanoseconds], ["all stalls", j.mutatorStallNanoseconds],
  ].map(([name, f]) => [name, count(f.count), ...figures(f, ["p50", "p99", "p999", "max"])])));
}

function settingsOf(parent, run) {
  const j = run.json;
  const settings = j.timeline?.settings ?? { GOGC: j.gogc === null ? "off" : String(j.gogc), "memory limit": bytes(j.limitBytes) };
  const list = [["workload", j.workload], ["threads", String(j.threads)], ["seed", String(j.seed)],
    ["control group's limit", bytes(j.cgroupLimitBytes)], ...Object.entries(settings).filter(([, value]) => value !== "")];
  add(parent, "div", table(null, list, "text"));
}

function build() {
  if (runs.length === 1) add(root, "dl", facts(runs[0]));
  if (data.comparison) {
    add(root, "h2", "Side by side");
    add(root, "div", table(["", ...data.names], data.comparison.map(([name, values]) => [name, ...values])));
  }
  if (data.sweep) {
    add(root, "h2", "Cost against limit");
    painted(root, sweepChart);
    add(root, "p", escapeText(data.sweep.sentence));
    add(root, "p", "The collector's share of the CPU under each limit; the knee is the point farthest below the dashed chord, and a cross a limit "
      + "under which a run did not survive.", { class: "faint" });
  }
  if (recorded.length > 1) {
    add(root, "h2", "Over each other");
    add(root, "ul", recorded.map(({ look }) => `<li><svg width="26" height="12" aria-hidden="true"><path class="line" d="M0 6H26" `
      + `stroke="${colourOf(look)}" stroke-dasharray="${look.dash}"/>${shape(look.shape, 13, 6, colourOf(look))}</svg>`
      + `${escapeText(look.name)}</li>`).join(""), { class: "legend" });
    for (const panel of PANELS) {
      if (!recorded.some((run) => isMeasured(run.history, panel))) continue;
      add(root, "h3", panel.title);
      painted(root, (width) => overlayPanel(width, panel));
    }
  }
  if (recorded.length === 1 && runs.length === 1) bandsOf(root, runs[0]);
  if (recorded.length > 0) add(root, "details", `<summary>How to read the bands</summary>${HELP}`, { class: "help" });
  if (recorded.length === 0) add(root, "p", "No timeline was recorded; a run with --report or --timeline has one.", { class: "faint" });
  buildDistributions();
  runs.length === 1 ? buildOne(root, runs[0]) : runs.forEach(buildFolded);
}

function buildDistributions() {
  const shown = recorded.filter((run) => run.json.timeline.mutatorUtilisation?.windows.length > 0);
  if (shown.length > 0) {
    add(root, "h2", "Minimum mutator utilisation");
    painted(root, (width) => utilisationChart(width, shown));
    const lost = shown.map((run) => run.json.timeline.mutatorUtilisation.lostStalls).reduce((a, b) => a + b, 0);
    const without = lost > 0 ? ` ${count(lost)} stalls came too fast to be kept and are not in it.` : "";
    add(root, "p", `The smallest share of its time that any thread kept in any window of that length.${without}`, { class: "faint" });
  }
  const counted = recorded.filter((run) => run.json.timeline.histograms);
  const titles = { operation: "Operations", stall: "Stalls", hold: "Holds", safepoint: "Time to safepoint" };
  const keys = Object.keys(titles).filter((key) => counted.some((run) => run.json.timeline.histograms[key].length > 0));
  if (keys.length === 0) return;
  add(root, "h2", "Histograms");
  add(root, "p", "How many took how long; both axes are logarithmic.", { class: "faint" });
  const grid = add(root, "div", "", { class: "pair" });
  for (const key of keys) {
    const cell = add(grid, "div", `<h3>${titles[key]}</h3>`);
    const shown = counted.filter((run) => run.json.timeline.histograms[key].length > 0);
    painted(cell, (width) => histogramChart(width, key, titles[key], shown));
  }
}

function buildOne(parent, run) {
  tablesOf(parent, run);
  add(parent, "h2", "Settings");
  settingsOf(parent, run);
}

// A run among others: closed until somebody wants it, and drawn only then.
function buildFolded(run) {
  const part = add(root, "details", `<summary>${escapeText(run.look.name)}</summary>`);
  add(part, "dl", facts(run));
  const element = run.history ? bandsOf(part, run) : null;
  part.addEventListener("toggle", () => {
    // Two sets of bands would share the names of their patterns; the closed one gives them up.
    if (!part.open && element) element.replaceChildren();
    drawAll();
  });
  buildOne(part, run);
}

function drawAll() { for (const paint of painters) paint(); }

build();
drawAll();
addEventListener("resize", drawAll);
