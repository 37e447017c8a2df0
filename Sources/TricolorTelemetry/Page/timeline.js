// The four bands of a run on one time axis: memory, CPU, latency, decisions. Plain SVG, no library; the same code draws a running process
// and a finished one.
//
// In: objects as Timeline.members writes them, given to `absorb`, as many as there come. Out: `drawBands(element, history, view)`.
// Everything that colour says is said by pattern, dash, shape or a name at the place too. CPU and operations come as totals since the
// beginning, so the difference of any two samples is right, however many between them are left out.
"use strict";

const LAYERS = [
  { key: "live", name: "live", pattern: "solid" }, { key: "new", name: "new since the last cycle", pattern: "rising" },
  { key: "unused", name: "dead or unused in blocks", pattern: "dots" },
  { key: "free", name: "free but resident", pattern: "level" }, { key: "foreign", name: "foreign", pattern: "falling" },
  { key: "files", name: "mapped files", pattern: "upright" },
];
const MEMORY_LINES = [
  { key: "resident", name: "resident", dash: "" }, { key: "goal", name: "heap goal", dash: "2 3" },
  { key: "limit", name: "limit", dash: "9 4" }, { key: "groupLimit", name: "cgroup maximum", dash: "14 3 2 3", colour: "group" },
];
const CPU_LAYERS = [
  { key: "background", name: "background", pattern: "solid" }, { key: "assist", name: "assist", pattern: "rising" },
  { key: "idle", name: "idle", pattern: "dots" }, { key: "sweep", name: "sweep", pattern: "level" },
  { key: "scavenge", name: "scavenge", pattern: "upright" }, { key: "mutator", name: "mutator", pattern: "falling" },
];
const LATENCIES = [
  { key: "operation", name: "operation p99", dash: "", shape: null }, { key: "stall", name: "longest stall", dash: "5 3", shape: "triangle" },
  { key: "hold", name: "longest hold", dash: "1 3", shape: "circle" },
];
const CAUSES = [
  { key: "growth", name: "cycle by growth", shape: "circle", colour: "growth" }, { key: "limit", name: "by the limit", shape: "triangle", colour: "limit" },
  { key: "forced", name: "forced", shape: "square", colour: "ink" }, { key: "periodic", name: "periodic", shape: "diamond", colour: "foreign" },
];
const KINDS = {
  phase: "flag", setting: "square", pacer: "circle", limit: "cross", pressure: "triangle", kernel: "diamond", limiter: "cross",
  thread: "circle", shed: "cross", killed: "cross",
};
// What was lost for want of memory: crosses in the band of memory.
const LOSSES = [
  { key: "shed", name: "operations turned away", shape: "cross", colour: "bad", size: 4 },
  { key: "killed", name: "killed by the kernel", shape: "cross", colour: "bad", size: 8 },
];

// MARK: History

function newHistory() {
  return { last: 0, samples: [], cycles: [], decisions: [], cyclesSeen: 0, droppedDecisions: 0 };
}

// Adds what a response brought.
function absorb(history, response) {
  for (const row of response.samples) {
    const sample = {};
    response.columns.forEach((name, index) => { sample[name] = row[index]; });
    history.samples.push(sample);
  }
  for (const [number, start, duration, cause, before, after, left] of response.cycles) {
    history.cycles.push({ number, start, duration, cause, before, after, left });
  }
  for (const [time, kind, text] of response.decisions) history.decisions.push({ time, kind, text });
  history.last = response.last;
  history.cyclesSeen = response.cyclesSeen;
  history.droppedDecisions = response.droppedDecisions;
}

// The sample at or before a time; the first where there is none before.
function sampleAt(samples, time) {
  let low = 0, high = samples.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (samples[middle].time <= time) low = middle; else high = middle - 1;
  }
  return samples[low];
}

// What part of the CPU to be had went to `key` between two samples; null where no time passed.
function share(from, to, key) {
  const available = to.available - from.available;
  return available > 0 ? Math.max(0, to[key] - from[key]) / available : null;
}

function collectorShare(from, to) {
  return ["background", "assist", "idle", "sweep", "scavenge"].reduce((sum, key) => sum + (share(from, to, key) ?? 0), 0);
}

// MARK: Words for numbers

function bytes(value) {
  if (value === null || value === undefined) return "none";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

function duration(nanoseconds) {
  if (nanoseconds === null || nanoseconds === undefined) return "–";
  const units = ["ns", "µs", "ms", "s"];
  let unit = 0;
  while (nanoseconds >= 1000 && unit < units.length - 1) { nanoseconds /= 1000; unit += 1; }
  return `${nanoseconds >= 100 || unit === 0 ? nanoseconds.toFixed(0) : nanoseconds.toPrecision(2)} ${units[unit]}`;
}

function percent(value) { return value === null ? "–" : `${(value * 100).toFixed(1)} %`; }
function count(value) { return Math.round(value).toLocaleString("en-GB").replace(/,/g, "\u202f"); }

function clock(nanoseconds) {
  const seconds = nanoseconds / 1e9;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds), rest = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${rest}`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
}

// MARK: Pieces of SVG

function escapeText(text) { return String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]); }
function point(x, y) { return `${x.toFixed(1)},${y.toFixed(1)}`; }
function colourOf(item) { return `var(--${item.colour ?? item.key})`; }

// The fill of a layer: its colour, under strokes in the ground's colour that tell it from its neighbours. `place` keeps names apart.
function pattern(place, item) {
  const strokes = {
    solid: "", rising: "M-1 7L7 -1M-2 2L2 -2M4 8L8 4", falling: "M-1 -1L7 7M-2 4L2 8M4 -2L8 2", level: "M0 3H6", upright: "M3 0V6",
    dots: "M1.5 1.5h1.6M4.5 4.5h1.6",
  }[item.pattern];
  return `<pattern id="${place}-${item.key}" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="${colourOf(item)}"/>`
    + `<path d="${strokes}" stroke="var(--ground)" stroke-opacity=".6" stroke-width="1.3"/></pattern>`;
}

function shape(kind, x, y, colour, size = 3.6) {
  const fill = `class="mark" fill="${colour}"`;
  switch (kind) {
    case "circle": return `<circle ${fill} cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${size * .85}"/>`;
    case "triangle": return `<path ${fill} d="M${point(x, y - size * 1.1)}L${point(x + size, y + size * .8)}L${point(x - size, y + size * .8)}Z"/>`;
    case "square": return `<rect ${fill} x="${(x - size * .8).toFixed(1)}" y="${(y - size * .8).toFixed(1)}" width="${size * 1.6}" height="${size * 1.6}"/>`;
    case "diamond": return `<path ${fill} d="M${point(x, y - size * 1.2)}L${point(x + size, y)}L${point(x, y + size * 1.2)}L${point(x - size, y)}Z"/>`;
    case "cross": return `<path d="M${point(x - size, y - size)}L${point(x + size, y + size)}M${point(x - size, y + size)}L${point(x + size, y - size)}" `
      + `stroke="${colour}" stroke-width="2.2"/>`;
    default: return `<path ${fill} d="M${point(x, y + size)}V${(y - size).toFixed(1)}L${point(x + size * 1.6, y - size * .3)}L${point(x, y + size * .4)}Z"/>`;
  }
}

// MARK: Axes

// Where the bands lie and what times they show.
function frame(width, history, view) {
  const end = history.samples.length ? history.samples[history.samples.length - 1].time : 0;
  const first = history.samples.length ? history.samples[0].time : 0;
  const begin = view.window ? Math.max(first, end - view.window) : first;
  const isWide = width >= 760;
  const left = isWide ? 66 : 54, right = isWide ? 132 : 6;
  const span = Math.max(end - begin, 1e9);
  return { width, isWide, left, right, begin, end: begin + span, x: (time) => left + (time - begin) / span * (width - left - right) };
}

// The next of 1, 2, 5, 10, 20, 50, … at or above a number.
function roundStep(number) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(number, 1e-9)));
  return unit * [1, 2, 5, 10].find((factor) => unit * factor >= number * .999);
}

function timeAxis(f, y) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600]
    .map((seconds) => seconds * 1e9).find((s) => (f.end - f.begin) / s <= (f.isWide ? 10 : 5)) ?? 86400e9;
  let text = "";
  for (let time = Math.ceil(f.begin / step) * step; time <= f.end; time += step) {
    const x = f.x(time);
    if (x < f.left + 10 || x > f.width - f.right - 10) continue;
    text += `<line class="grid" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="4" y2="${y}"/>`
      + `<text x="${x.toFixed(1)}" y="${y + 14}" text-anchor="middle">${clock(time).replace(".0 s", " s")}</text>`;
  }
  return text;
}

function rows(f, ticks, y, name) {
  return ticks.map((tick) => {
    const at = y(tick);
    const text = rowName(f, at, name(tick));
    return { grid: `<line class="grid" x1="${f.left}" x2="${f.width - f.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/>`, text };
  });
}

// Round amounts of memory up to a largest one, six at the most.
function byteSteps(top) {
  let step = 1024;
  while (top / step > 6) step *= 2;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step);
}

function byteName(value) { return value === 0 ? "0" : bytes(value).replace(".0 ", " "); }

function rowName(f, y, name) { return `<text x="${f.left - 6}" y="${(y + 4).toFixed(1)}" text-anchor="end">${name}</text>`; }

// Names at the right end of their lines, moved apart where they would lie on each other.
function endNames(f, names, top, bottom) {
  if (!f.isWide) return "";
  const sorted = names.filter((n) => n.y !== null).sort((a, b) => a.y - b.y);
  let lowest = top + 4;
  for (const name of sorted) { name.at = Math.max(name.y, lowest); lowest = name.at + 13; }
  let highest = bottom;
  for (const name of sorted.toReversed()) { name.at = Math.min(name.at, highest); highest = name.at - 13; }
  const x = f.width - f.right;
  return sorted.map((n) => `<path d="M${point(x + 1, n.y)}L${point(x + 9, n.at)}" stroke="${n.colour}" fill="none"/>`
    + `<text class="name" x="${x + 12}" y="${(n.at + 4).toFixed(1)}">${n.name}</text>`).join("");
}

function phaseLines(f, history, height, isNamed) {
  const phases = history.decisions.filter((d) => d.kind === "phase");
  let free = -1;
  return phases.map((phase, index) => {
    const next = phases[index + 1]?.time ?? Infinity;
    if (next < f.begin || phase.time > f.end) return "";
    const x = f.x(Math.max(phase.time, f.begin));
    let text = `<line class="phase" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="4" y2="${height}"/>`;
    if (isNamed && x >= free) {
      text += `<text x="${(x + 3).toFixed(1)}" y="13">${escapeText(phase.text)}</text>`;
      free = x + 10 + phase.text.length * 6.5;
    }
    return text;
  }).join("");
}

// MARK: What is drawn of the samples

// At most a sample for every two pixels: of each group what `pick` chooses. One before the window is kept, so that lines begin at its edge.
function thinned(f, samples, pick) {
  let first = samples.findIndex((s) => s.time >= f.begin);
  if (first < 0) return [];
  first = Math.max(0, first - 1);
  const visible = samples.slice(first);
  const most = Math.max(60, (f.width - f.left - f.right) / 2);
  const size = Math.ceil(visible.length / most);
  if (size <= 1) return visible;
  const groups = [];
  // Groups begin at multiples of their size, counted from the first sample of all, so that they do not shift as samples arrive.
  for (let start = first - first % size; start < samples.length; start += size) groups.push(pick(samples.slice(Math.max(start, first), start + size)));
  return groups;
}

function largestResident(group) { return group.reduce((a, b) => (b.resident > a.resident ? b : a)); }

function longest(group) {
  const result = { time: group[group.length - 1].time };
  for (const { key } of LATENCIES) {
    const values = group.map((s) => s[key]).filter((v) => v !== null);
    result[key] = values.length ? Math.max(...values) : null;
  }
  return result;
}

// Areas on top of each other, the first at the bottom.
function stack(place, f, items, samples, valueOf, y) {
  const base = samples.map(() => 0);
  return items.map((item) => {
    const lower = samples.map((s, i) => point(f.x(s.time), y(base[i])));
    samples.forEach((s, i) => { base[i] += valueOf(s, item.key); });
    const upper = samples.map((s, i) => point(f.x(s.time), y(base[i])));
    if (samples.length < 2) return "";
    return `<path fill="url(#${place}-${item.key})" d="M${upper.join("L")}L${lower.reverse().join("L")}Z"/><path class="edge" d="M${upper.join("L")}"/>`;
  }).join("");
}

// A line through all samples that have a value, interrupted where there is none.
function line(f, item, samples, y, gap = true) {
  let path = "", isDown = false;
  for (const sample of samples) {
    const value = sample[item.key];
    if (value === null || value === undefined) { if (gap) isDown = false; continue; }
    path += `${isDown ? "L" : "M"}${point(f.x(sample.time), y(value))}`;
    isDown = true;
  }
  return path && `<path class="halo" d="${path}"/><path class="line" d="${path}" stroke="${colourOf(item)}" stroke-dasharray="${item.dash}"/>`;
}

// MARK: Bands

function svg(f, height, name, label, body) {
  return `<svg class="band" data-band="${name}" role="img" aria-label="${escapeText(label)}" width="${f.width}" height="${height}" `
    + `viewBox="0 0 ${f.width} ${height}"><defs><clipPath id="clip-${name}"><rect x="${f.left}" y="0" width="${f.width - f.left - f.right}" `
    + `height="${height}"/></clipPath></defs>${body}</svg>`;
}

function clipped(name, body) { return `<g clip-path="url(#clip-${name})">${body}</g>`; }

function memoryBand(f, history, now) {
  const height = f.isWide ? 290 : 240, bottom = height - 20;
  const samples = thinned(f, history.samples, largestResident);
  const cycles = history.cycles.filter((c) => c.start >= f.begin);
  const highest = Math.max(1, ...samples.flatMap((s) => [s.resident, layerSum(s)]));
  // Limits far above what is used would press everything else to the ground: they are named at the upper edge then.
  const bounds = samples.flatMap((s) => MEMORY_LINES.map((item) => s[item.key])).filter((v) => v !== null && v <= 4 * highest);
  const top = Math.max(highest, ...bounds) * 1.07;
  const y = (value) => bottom - value / top * (bottom - 18);
  const ticks = rows(f, byteSteps(top), y, byteName);
  const every = Math.ceil(cycles.length / (f.width / 3));
  const dots = cycles.filter((c) => c.number % every === 0 || every <= 1).map((c) => {
    const cause = CAUSES.find((item) => item.key === c.cause);
    const x = f.x(c.start).toFixed(1);
    return `<g><title>cycle ${c.number}, ${c.cause}, at ${clock(c.start)}: began at ${bytes(c.before)}, ended at ${bytes(c.after)} after `
      + `${duration(c.duration)}, left ${bytes(c.left)}</title><line class="found" x1="${x}" x2="${x}" y1="${y(c.before).toFixed(1)}" `
      + `y2="${y(c.left).toFixed(1)}"/>${shape(cause.shape, f.x(c.start), y(c.before), colourOf(cause), 4.3)}</g>`;
  }).join("");
  const losses = history.decisions.filter((d) => d.time >= f.begin && LOSSES.some((item) => item.key === d.kind));
  const crosses = losses.map((d) => {
    const item = LOSSES.find((one) => one.key === d.kind);
    return `<g><title>${clock(d.time)}: ${escapeText(d.text)}</title>`
      + `${shape("cross", f.x(d.time), y(sampleAt(history.samples, d.time).resident), colourOf(item), item.size)}</g>`;
  }).join("");
  const lines = MEMORY_LINES.filter((item) => samples.some((s) => s[item.key] !== null));
  const last = samples[samples.length - 1];
  const names = lines.map((item) => ({ name: item.name, colour: colourOf(item), y: last[item.key] === null ? null : Math.max(4, y(last[item.key])) }));
  const body = `<defs>${LAYERS.map((item) => pattern("memory", item)).join("")}</defs>${timeAxis(f, bottom)}${ticks.map((t) => t.grid).join("")}`
    + clipped("memory", stack("memory", f, LAYERS, samples, (s, key) => s[key], y) + lines.map((item) => line(f, item, samples, y)).join("") + dots) + crosses
    + phaseLines(f, history, bottom, true) + ticks.map((t) => t.text).join("") + endNames(f, names, 4, bottom);
  const part = every > 1 ? `; one of ${every} cycles is drawn` : "";
  return legend("memory", LAYERS, (item) => bytes(now[item.key])) + legend("lines", lines, (item) => bytes(now[item.key]))
    + legend("causes", CAUSES.filter((item) => cycles.some((c) => c.cause === item.key)), (item) => cycles.filter((c) => c.cause === item.key).length)
    + legend("losses", LOSSES.filter((item) => losses.some((d) => d.kind === item.key)), (item) => losses.filter((d) => d.kind === item.key).length)
    + (part && `<p class="faint">${part.slice(2)}</p>`)
    + svg(f, height, "memory", `Memory: ${bytes(now.resident)} resident, ${bytes(now.live)} live, goal ${bytes(now.goal)}, limit ${bytes(now.limit)}`, body);
}

function layerSum(sample) { return LAYERS.reduce((sum, item) => sum + sample[item.key], 0); }

function cpuBand(f, history, now, before) {
  const height = f.isWide ? 190 : 160, bottom = height - 20;
  const samples = thinned(f, history.samples, (group) => group[group.length - 1]);
  const shares = samples.slice(1).map((sample, index) => {
    const result = { time: sample.time, cap: sample.cap / 100 };
    for (const { key } of CPU_LAYERS) result[key] = share(samples[index], sample, key) ?? 0;
    return result;
  });
  const y = (value) => bottom - Math.min(1, value) * (bottom - 18);
  const ticks = rows(f, [0, .25, .5, .75, 1], y, (v) => `${v * 100} %`);
  const cap = { key: "cap", name: "collector's cap", dash: "9 4", colour: "limit" };
  const body = `<defs>${CPU_LAYERS.map((item) => pattern("cpu", item)).join("")}</defs>${timeAxis(f, bottom)}${ticks.map((t) => t.grid).join("")}`
    + clipped("cpu", stack("cpu", f, CPU_LAYERS, shares, (s, key) => s[key], y) + line(f, cap, shares, y)) + phaseLines(f, history, bottom, false)
    + ticks.map((t) => t.text).join("") + endNames(f, [{ name: cap.name, colour: colourOf(cap), y: y(now.cap / 100) }], 4, bottom);
  return legend("cpu", CPU_LAYERS, (item) => percent(share(before, now, item.key))) + legend("lines", [cap], () => `${now.cap} %`)
    + svg(f, height, "cpu", `CPU: the collector took ${percent(collectorShare(before, now))}, the mutator ${percent(share(before, now, "mutator"))}`, body);
}

function latencyBand(f, history, now) {
  const height = f.isWide ? 190 : 170, bottom = height - 20;
  const samples = thinned(f, history.samples, longest);
  const values = samples.flatMap((s) => LATENCIES.map((item) => s[item.key])).filter((v) => v !== null && v > 0);
  const low = Math.floor(Math.log10(Math.min(1e5, ...values))), high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(1e6, ...values))));
  const y = (value) => bottom - (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) * (bottom - 18);
  const ticks = rows(f, Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)), y, (v) => duration(v).replace(".0", ""));
  const marks = LATENCIES.filter((item) => item.shape).flatMap((item) => samples.filter((s) => s[item.key] !== null)
    .map((s) => shape(item.shape, f.x(s.time), y(s[item.key]), colourOf(item), 2.4)));
  const names = LATENCIES.map((item) => {
    const last = samples.findLast((s) => s[item.key] !== null);
    return { name: item.name, colour: colourOf(item), y: last && last.time >= f.begin ? y(last[item.key]) : null };
  });
  const body = timeAxis(f, bottom) + ticks.map((t) => t.grid).join("")
    + clipped("latency", LATENCIES.map((item) => line(f, item, samples, y)).join("") + marks.join("")) + phaseLines(f, history, bottom, false)
    + ticks.map((t) => t.text).join("") + endNames(f, names, 4, bottom);
  return legend("latency", LATENCIES, (item) => duration(now[item.key]))
    + svg(f, height, "latency", `Latency: operation p99 ${duration(now.operation)}, longest stall ${duration(now.stall)}`, body);
}

function decisionBand(f, history) {
  const kinds = Object.keys(KINDS).filter((kind) => kind !== "phase" && history.decisions.some((d) => d.kind === kind));
  const height = Math.max(1, kinds.length) * 18 + 24, bottom = height - 20;
  const marks = history.decisions.filter((d) => d.kind !== "phase" && d.time >= f.begin && d.time <= f.end).map((d) => `<g><title>${clock(d.time)}: ${escapeText(d.text)}</title>`
    + `${shape(KINDS[d.kind], f.x(d.time), 14 + kinds.indexOf(d.kind) * 18, ["limit", "limiter", "shed", "killed"].includes(d.kind) ? "var(--bad)" : "var(--ink)", 4.5)}</g>`);
  const names = kinds.map((kind, index) => rowName(f, 14 + index * 18, kind));
  const body = timeAxis(f, bottom) + phaseLines(f, history, bottom, false) + marks.join("") + names.join("");
  return svg(f, height, "decisions", `Decisions: ${history.decisions.length}; the list below has them in words`, body);
}

function decisionList(history) {
  const items = history.decisions.toReversed().map((d) => `<li><time>${clock(d.time)}</time><span class="faint">${d.kind}</span><span>${escapeText(d.text)}</span></li>`);
  const older = history.droppedDecisions ? `<p class="faint">${history.droppedDecisions} older ones are not kept.</p>` : "";
  return `<ol class="decisions" tabindex="0" aria-label="Decisions, the newest first">${items.join("")}</ol>${older}`;
}

// The keys to a band, each with its value now.
function legend(place, items, valueOf) {
  if (!items.length) return "";
  const swatch = (item) => {
    if (item.pattern) return `<rect width="18" height="12" fill="url(#${place}-${item.key})"/>`;
    const stroke = item.dash === undefined ? "" : `<path class="line" d="M0 6H18" stroke="${colourOf(item)}" stroke-dasharray="${item.dash}"/>`;
    return stroke + (item.shape ? shape(item.shape, 9, 6, colourOf(item)) : "");
  };
  return `<ul class="legend">${items.map((item) => `<li><svg width="18" height="12" aria-hidden="true">${swatch(item)}</svg>${item.name} <b>${valueOf(item)}</b></li>`).join("")}</ul>`;
}

// MARK: All of it

// What the keys to the bands name: the moment of the cursor, or the last; of a whole run without a cursor the peak, the sums, and the longest.
function readings(history, view) {
  const samples = history.samples;
  if (view.isWhole && view.cursor === null) {
    return { memory: largestResident(samples), latency: longest(samples), cpu: samples[samples.length - 1], before: samples[0] };
  }
  const now = sampleAt(samples, view.cursor ?? Infinity);
  return { memory: now, latency: now, cpu: now, before: sampleAt(samples, now.time - 1e9) };
}

// Draws the bands into `element`. `view.window`: nanoseconds to show before the end, 0 for all; `view.cursor`: a time to read values at, or null;
// `view.isWhole`: whether the run is over.
function drawBands(element, history, view) {
  // Without a width the element is not shown.
  if (history.samples.length < 2 || element.clientWidth === 0) return;
  const f = frame(element.clientWidth, history, view);
  const now = readings(history, view);
  const sections = {
    memory: () => memoryBand(f, history, now.memory), cpu: () => cpuBand(f, history, now.cpu, now.before),
    latency: () => latencyBand(f, history, now.latency),
    decisions: () => decisionBand(f, history),
  };
  for (const [name, draw] of Object.entries(sections)) section(element, name).innerHTML = draw();
  const list = section(element, "list"), drawn = String(history.decisions.length);
  if (list.dataset.drawn !== drawn) {
    list.innerHTML = decisionList(history);
    list.dataset.drawn = drawn;
  }
  if (view.cursor !== null && view.cursor !== undefined) drawCursor(element, f, view.cursor);
  element.timeAt = (clientX) => f.begin + (clientX - element.getBoundingClientRect().left - f.left) / (f.width - f.left - f.right) * (f.end - f.begin);
}

function section(element, name) {
  let found = element.querySelector(`[data-section="${name}"]`);
  if (found) return found;
  const titles = { memory: "Memory", cpu: "CPU", latency: "Latency", decisions: "Decisions" };
  found = document.createElement("div");
  found.dataset.section = name;
  const block = document.createElement("section");
  if (titles[name]) block.innerHTML = `<h2>${titles[name]}</h2>`;
  block.append(found);
  element.append(block);
  return found;
}

// Has the bands in `element` read at the pointer's time: sets `view.cursor` and draws again.
function followPointer(element, view, draw) {
  element.addEventListener("pointermove", (event) => {
    if (!event.target.closest("svg.band")) return;
    view.cursor = element.timeAt(event.clientX);
    draw();
  });
  element.addEventListener("pointerleave", () => { view.cursor = null; draw(); });
}

function drawCursor(element, f, time) {
  const x = f.x(time);
  for (const band of element.querySelectorAll("svg.band")) {
    const height = band.getAttribute("height") - 20;
    const text = band.dataset.band === "memory" ? `<text class="name" x="${x + 4}" y="${height - 4}">${clock(time)}</text>` : "";
    band.insertAdjacentHTML("beforeend", `<line class="cursor" x1="${x}" x2="${x}" y1="2" y2="${height}"/>${text}`);
  }
}
