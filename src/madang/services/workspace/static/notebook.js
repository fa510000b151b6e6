// The page of notebooks. Whatever a kernel says becomes text or a picture here, never markup.
"use strict";

const texts = JSON.parse(document.body.dataset.texts || "{}");
const place = document.getElementById("cells");
let open = null; // {name, version, cells}
let saving = Promise.resolve();
let dirty = false;
let completing = null;
const page = Array.from(crypto.getRandomValues(new Uint8Array(8)), (n) => n.toString(16).padStart(2, "0")).join("");

const say = (text, values = {}) => Object.entries(values).reduce((t, [k, v]) => t.replace(`{${k}}`, v), texts[text] || "");

async function ask(what, given = {}) {
  const answer = await fetch(`/do/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw Object.assign(new Error(`${told.message || answer.status} ${told.hint || ""}`), told);
}

function trouble(error) {
  const note = document.getElementById("problem");
  note.textContent = error ? error.message || String(error) : "";
  note.hidden = !error;
  if (error) setTimeout(() => { note.hidden = true; }, 12000);
}

function make(kind, attributes = {}, ...inside) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside);
  return made;
}

function state(word, detail = "") {
  document.getElementById("state").textContent = say(word) + (detail ? ` · ${detail}` : "");
}

// Notebooks

async function list() {
  const told = await ask("list");
  state(told.awake ? "awake" : "asleep");
  const names = document.getElementById("notebooks");
  names.replaceChildren(...told.notebooks.map((name) => {
    const button = make("button", { type: "button", class: "plain", text: name, onclick: () => load(name).catch(trouble) });
    if (open && open.name === name) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  }));
  return told;
}

async function load(name) {
  if (open && open.name !== name) await save();
  take(await ask("load", { name }));
  dirty = false;
  draw();
  await list();
}

// What cells show and whether they run is known better here than in the file, which is written afterwards.
function take(loaded) {
  const known = open && open.name === loaded.name ? new Map(open.cells.map((cell) => [cell.id, cell])) : new Map();
  for (const cell of loaded.cells) {
    const mine = known.get(cell.id);
    if (mine) Object.assign(cell, { outputs: mine.outputs, busy: mine.busy, said: mine.said });
  }
  open = loaded;
}

function save() {
  saving = saving.then(async () => {
    if (!open || !dirty) return;
    dirty = false;
    const cells = open.cells.map(({ id, kind, source }) => ({ id, kind, source }));
    try {
      open.version = (await ask("save", { name: open.name, version: open.version, cells, page })).version;
    } catch (error) {
      if (error.code !== "workspace.notebook_changed") { dirty = true; throw error; }
      const mine = new Map(open.cells.map((cell) => [cell.id, cell.source]));
      take(await ask("load", { name: open.name }));
      const focused = document.activeElement.closest(".cell");
      const kept = focused && open.cells.find((cell) => cell.id === focused.dataset.cell);
      if (kept) { kept.source = mine.get(kept.id); dirty = true; }
      draw();
      trouble(say("changed"));
    }
  });
  return saving;
}

function changed() {
  dirty = true;
  clearTimeout(changed.timer);
  changed.timer = setTimeout(() => save().catch(trouble), 800);
}

// Cells

function draw() {
  place.replaceChildren(...open.cells.map(drawCell));
  if (!open.cells.length) place.append(adders(0));
  place.querySelectorAll("textarea").forEach(fit);
}

function fit(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function drawCell(cell, number) {
  const label = say(cell.kind === "text" ? "note" : "code", { number: number + 1 });
  const area = make("textarea", { spellcheck: "false", rows: "1", "aria-label": label, autocomplete: "off" });
  area.value = cell.source;
  area.addEventListener("input", () => { cell.source = area.value; fit(area); changed(); });
  area.addEventListener("keydown", (event) => keys(event, cell, area));
  const bar = make("div", { class: "bar" });
  if (cell.kind !== "text") bar.append(make("button", { type: "button", text: say("run"), onclick: () => run(cell).catch(trouble) }));
  bar.append(...adders(number + 1).childNodes);
  bar.append(make("button", { type: "button", class: "plain", text: say("delete"), onclick: () => drop(cell) }));
  bar.append(make("span", { class: "meta", text: cell.said || "" }));
  const out = make("div", { class: "out", tabindex: "0", role: "region", "aria-label": say("shown", { number: number + 1 }) });
  const drawn = make("section", { class: `cell ${cell.kind === "text" ? "note" : ""} ${cell.busy ? "busy" : ""}`, "data-cell": cell.id, "aria-label": label }, area, make("ul", { class: "names" }), bar, out);
  cell.outputs.forEach((message) => show(out, message, number));
  return drawn;
}

function adders(at) {
  const add = (kind) => () => {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(4)), (n) => n.toString(16).padStart(2, "0")).join("");
    open.cells.splice(at, 0, { id, kind, source: "", outputs: [], count: null });
    draw();
    changed();
    place.querySelector(`[data-cell="${id}"] textarea`).focus();
  };
  return make("div", {},
    make("button", { type: "button", class: "second", text: say("addCode"), onclick: add("code") }),
    make("button", { type: "button", class: "second", text: say("addNote"), onclick: add("text") }));
}

function drop(cell) {
  open.cells = open.cells.filter((each) => each !== cell);
  draw();
  changed();
}

function keys(event, cell, area) {
  if (event.key === "Enter" && event.shiftKey && cell.kind !== "text") {
    event.preventDefault();
    run(cell).catch(trouble);
    const areas = [...place.querySelectorAll("textarea")];
    const next = areas[areas.indexOf(area) + 1];
    if (next) next.focus();
  } else if (event.key === "Escape") {
    area.dataset.leaves = "yes";
  } else if (event.key === "Tab" && !event.shiftKey && !area.dataset.leaves && cell.kind !== "text") {
    event.preventDefault();
    const at = area.selectionStart;
    if (/[\w.]$/.test(area.value.slice(0, at))) {
      completing = { cell, area };
      ask("complete", { code: area.value, at }).catch(trouble);
    } else {
      area.setRangeText("    ", at, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
  } else {
    delete area.dataset.leaves;
  }
}

async function run(cell) {
  changed();
  await save();
  const found = place.querySelector(`[data-cell="${cell.id}"]`);
  found.classList.add("busy");
  cell.busy = true;
  cell.outputs = [];
  found.querySelector(".out").replaceChildren();
  await ask("run", { notebook: open.name, cell: cell.id, code: cell.source });
}

function offer(names, from) {
  if (!completing) return;
  const { cell, area } = completing;
  completing = null;
  const take = (name) => {
    area.setRangeText(name, from, area.selectionStart, "end");
    cell.source = area.value;
    shown.replaceChildren();
    area.focus();
    changed();
  };
  const shown = area.closest(".cell").querySelector(".names");
  if (names.length === 1) { take(names[0]); return; }
  shown.replaceChildren(...names.slice(0, 20).map((name) => make("li", {}, make("button", { type: "button", class: "second", text: name, onclick: () => take(name) }))));
}

// What a kernel shows

function show(out, message, number) {
  if (message.say === "text") {
    const last = out.lastElementChild;
    if (last && last.matches("pre.said")) last.textContent += message.text;
    else out.append(make("pre", { class: "said", tabindex: "0", text: message.text }));
  } else if (message.say === "error") {
    out.append(make("pre", { class: "error", tabindex: "0", text: message.trace || `${message.name}: ${message.value}` }));
  } else if (message.say === "show") {
    if (message.table) out.append(...table(message.table));
    else if (message.picture) out.append(make("img", { src: `data:image/png;base64,${message.picture}`, alt: say("picture", { number: number + 1 }) }));
    else out.append(make("pre", { tabindex: "0", text: message.text }));
  }
}

function table(told) {
  const head = make("tr", {}, make("td", {}), ...told.columns.map((name, n) => make("th", { scope: "col", class: told.numeric[n] ? "n" : "", text: name })));
  const rows = told.rows.map((row, number) => make("tr", {}, make("th", { scope: "row", text: told.index[number] ?? "" }), ...row.map((cell, n) => make("td", { class: told.numeric[n] ? "n" : "", text: cell }))));
  if (told.gap !== null && told.gap < rows.length) rows.splice(told.gap, 0, make("tr", {}, make("td", { text: "…", colspan: String(told.columns.length + 1) })));
  return [make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)),
    make("p", { class: "soft", text: say("rows", { rows: told.count ?? told.rows.length, columns: told.width ?? told.columns.length }) })];
}

// What is said to all

const listening = {
  waking: () => state("waking"),
  ready: () => state("awake"),
  ended: () => state("asleep"),
  asleep: (message) => {
    state("asleep", message.reason);
    if (open) open.cells.forEach((cell) => { cell.busy = false; });
    place.querySelectorAll(".busy").forEach((each) => each.classList.remove("busy"));
  },
  over: () => { trouble(say("over")); events.close(); state("asleep"); },
  notebooks: () => list().catch(trouble),
  names: (message) => offer(message.names, message.from),
  saved: (message) => {
    if (open && message.page !== page && message.notebook === open.name && message.version > open.version && !dirty) load(open.name).catch(trouble);
  },
};

function ofCell(message) {
  if (!open || message.notebook !== open.name) return;
  const number = open.cells.findIndex((cell) => cell.id === message.cell);
  const found = place.querySelector(`[data-cell="${CSS.escape(message.cell)}"]`);
  if (number < 0 || !found) return;
  const cell = open.cells[number];
  const out = found.querySelector(".out");
  if (message.say === "waits") Object.assign(cell, { busy: true, said: say("waits") });
  else if (message.say === "begun") {
    Object.assign(cell, { busy: true, said: say("running"), outputs: [] });
    out.replaceChildren();
    state("running");
  } else if (message.say === "done") {
    Object.assign(cell, { busy: false, said: say("seconds", { seconds: message.seconds }) });
    state("awake");
  } else {
    cell.outputs.push(message);
    show(out, message, number);
  }
  found.classList.toggle("busy", Boolean(cell.busy));
  found.querySelector(".meta").textContent = cell.said || "";
}

// There is no way to send a file out, and none is offered: results leave by release review.
const events = new EventSource("/events");
events.addEventListener("message", (event) => {
  const message = JSON.parse(event.data);
  if (message.cell) ofCell(message);
  else if (listening[message.say]) listening[message.say](message);
});
events.addEventListener("error", () => {
  document.getElementById("state").textContent = say("lost");
  if (events.readyState === EventSource.CLOSED) ask("list").catch(() => trouble(say("over")));
});
events.addEventListener("open", () => list().then((told) => { if (!open && told.notebooks.length) load(told.notebooks[0]); }).catch(trouble));

if (place) {
  document.getElementById("create").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = document.getElementById("name");
    try {
      const made = await ask("create", { name: field.value.trim() });
      field.value = "";
      await load(made.name);
      place.querySelector("textarea").focus();
    } catch (error) { trouble(error); }
  });
  document.getElementById("stop").addEventListener("click", () => ask("stop").catch(trouble));
  document.getElementById("sleep").addEventListener("click", () => ask("sleep").then(() => ask("wake")).catch(trouble));
  addEventListener("beforeunload", () => { if (dirty) save(); });
  ask("wake").catch(trouble); // while the page is read
}
