// The work: keys, reasons, edits and their drafts, what is told, and filters that follow the address.
"use strict";

const byId = (id) => document.getElementById(id);
const sample = byId("sample");
const press = (id) => byId(id)?.click();

const tell = (text) => { byId("toast").textContent = text; };
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* no storage, no memory */ } };
const recall = (name) => { try { return localStorage.getItem(name); } catch { return null; } };

// Messages: one is marked; that is the one that E edits.

let marked = null;
const messages = () => [...sample.querySelectorAll(".turns > li")];
const mark = (item) => {
  for (const other of messages()) other.classList.toggle("marked", other === item);
  marked = item;
  item?.scrollIntoView({ block: "nearest" });
};
const markNext = (step) => {
  const list = messages();
  const at = list.indexOf(marked);
  mark(list[at < 0 ? (step > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + step, 0), list.length - 1)]);
};

// Statements, one after the other

let statement = -1;
const statements = (only) => [...sample.querySelectorAll("[data-claim]")].filter((each) => !only || each.dataset.verdict === only);
const nextStatement = (step, only) => {
  const list = statements(only);
  if (!list.length) return tell(only ? "No statement is contradicted." : "No statement of this sample was checked.");
  const numbers = list.map((each) => Number(each.dataset.claim));
  const later = step > 0 ? numbers.findIndex((number) => number > statement) : numbers.findLastIndex((number) => number < statement);
  const claim = list[later >= 0 ? later : step > 0 ? 0 : list.length - 1];
  statement = Number(claim.dataset.claim);
  mark(byId(`message-${claim.dataset.message}`));
  const words = [...sample.querySelectorAll("mark[data-claims]")].find((each) => each.dataset.claims.split(" ").includes(claim.dataset.claim));
  words?.scrollIntoView({ block: "nearest" });
  picture.light(claim);
  const told = byId("told");
  told.hidden = false;
  told.textContent = claim.textContent;
  told.dataset.verdict = claim.dataset.verdict;
};

// Edits, with drafts that a reload keeps

const draft = (name) => `draft ${sample.querySelector(".sample")?.dataset.id} ${name}`;
const draftOf = (form) => draft(form.dataset.draft);
const grow = (area) => {
  area.style.setProperty("height", "auto");
  area.style.setProperty("height", `${Math.min(area.scrollHeight + 4, 0.6 * innerHeight)}px`);
};
const edit = (item) => {
  const form = item?.querySelector(".editor");
  if (!form) return;
  mark(item);
  item.classList.add("editing");
  form.hidden = false;
  grow(form.elements.text);
  form.elements.text.focus();
};
const leave = (form) => {
  form.hidden = true;
  form.closest("li").classList.remove("editing");
  form.reset();
  sessionStorage.removeItem(draftOf(form));
  byId("sample-title").focus();
};
const restoreDrafts = () => {
  for (const form of sample.querySelectorAll(".editor")) {
    const kept = sessionStorage.getItem(draftOf(form));
    if (kept === null || kept === form.elements.text.value) continue;
    edit(form.closest("li"));
    form.elements.text.value = kept;
    grow(form.elements.text);
  }
  const note = sessionStorage.getItem(draft("note"));
  if (note !== null && byId("note")) byId("note").value = note;
};
sample.addEventListener("input", (event) => {
  const form = event.target.closest(".editor");
  if (form) sessionStorage.setItem(draftOf(form), form.elements.text.value);
  if (event.target.id === "note") sessionStorage.setItem(draft("note"), event.target.value);
  if (event.target.tagName === "TEXTAREA") grow(event.target);
});
sample.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.edit) edit(button.closest("li"));
  if (button && "leave" in button.dataset) leave(button.closest("form"));
  if (button && "original" in button.dataset) {
    const area = button.closest("form").elements.text;
    area.value = button.dataset.original;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (button?.id === "reject") askReason();
});

// Rejecting

const reasons = byId("reasons");
const askReason = () => { if (byId("reject") && !reasons.open) reasons.showModal(); };
const reject = (reason) => {
  reasons.close();
  byId("reason").value = reason;
  press("rejected");
};
reasons.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (event.target === reasons || (button && "close" in button.dataset)) reasons.close();
  else if (button && "reason" in button.dataset) reject(button.dataset.reason);
});
reasons.addEventListener("keydown", (event) => {
  const choices = [...reasons.querySelectorAll("ol [data-reason]")];
  if (/^[1-9]$/.test(event.key) && choices[event.key - 1]) reject(choices[event.key - 1].dataset.reason);
  else if (event.key === "Enter" && !event.target.closest("[data-reason], [data-close]")) reject("");
  else return;
  event.preventDefault();
});

// Filters: beside the sample where there is room, over it where there is not

const narrow = matchMedia("(max-width: 64rem)");
const showFilters = (shown) => {
  document.body.classList.toggle("no-filters", !shown);
  byId("show-filters").setAttribute("aria-expanded", String(shown));
};
const toggleFilters = () => {
  const shown = document.body.classList.contains("no-filters");
  showFilters(shown);
  if (!narrow.matches) remember("filters", shown ? "shown" : "hidden");
  return shown;
};
showFilters(!narrow.matches && recall("filters") !== "hidden");
byId("show-filters").addEventListener("click", toggleFilters);

const filtersIn = (search) => {
  const parts = new URLSearchParams(search);
  parts.delete("sample");
  return parts.toString();
};
let counted = filtersIn(location.search);
let waiting = 0;
const recount = () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    counted = filtersIn(location.search);
    htmx.ajax("GET", `/counts?${counted}`, { target: "#counts", swap: "innerHTML" })
      .catch(() => {}); // a later count took its place, or the server is gone, which is told elsewhere
  }, 150);
};
const opened = new Set();
byId("counts").addEventListener("toggle", (event) => {
  if (event.target.id) event.target.open ? opened.add(event.target.id) : opened.delete(event.target.id);
}, true);

// What the server answers

document.body.addEventListener("review-changed", recount);
document.body.addEventListener("htmx:pushedIntoHistory", () => { if (filtersIn(location.search) !== counted) recount(); });
document.body.addEventListener("htmx:historyRestore", () => location.reload());
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const from = event.detail.requestConfig?.elt;
  const kept = event.detail.xhr.getResponseHeader("HX-Trigger"); // sent with what has been written down
  if (kept && from?.matches(".editor")) sessionStorage.removeItem(draftOf(from));
  if (event.detail.xhr.status === 200 && from?.matches("#note, #accept, #rejected")) sessionStorage.removeItem(draft("note"));
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === sample) arrive();
  if (event.detail.target?.id === "counts") for (const id of opened) byId(id)?.setAttribute("open", "");
});
document.body.addEventListener("htmx:responseError", (event) => {
  const xhr = event.detail.xhr;
  tell(xhr.status < 500 ? xhr.responseText.trim() : "The server could not do that; nothing was kept. Its terminal says why.");
});
for (const kind of ["htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(kind, () => tell("The server does not answer; nothing was kept. Start it again, and then press the same key."));
}

const arrive = () => {
  statement = -1;
  marked = null;
  picture.arrive();
  restoreDrafts();
  const title = byId("sample-title");
  if (!sample.contains(document.activeElement) || document.activeElement === sample) title?.focus({ preventScroll: true });
  const next = byId("next")?.dataset.image;
  if (next) new Image().src = next;
};

// What is told fades, and begins anew with each new word.
new MutationObserver(() => {
  const toast = byId("toast");
  toast.classList.remove("fresh");
  void toast.offsetWidth;
  toast.classList.add("fresh");
}).observe(byId("toast"), { childList: true, characterData: true, subtree: true });

// Keys

const keysOn = byId("keys-on");
keysOn.checked = recall("keys") !== "off";
keysOn.addEventListener("change", () => remember("keys", keysOn.checked ? "on" : "off"));
byId("show-keys").addEventListener("click", () => byId("keys").showModal());

const worst = () => sample.querySelector(".turns > li.answered:has(mark.contradicted)") || sample.querySelector(".turns > li.answered");
const KEYS = {
  a: () => press("accept"),
  r: askReason,
  u: () => press("undo"),
  c: () => press("clear"),
  n: () => byId("note")?.focus(),
  e: () => edit(marked || worst()),
  j: () => press("next"),
  k: () => press("previous"),
  s: () => nextStatement(1),
  w: () => nextStatement(1, "contradicted"),
  b: () => picture.boxes(),
  f: toggleFilters,
  "+": () => picture.zoom(1.5),
  "=": () => picture.zoom(1.5),
  "-": () => picture.zoom(1 / 1.5),
  0: () => picture.fit(),
  "?": () => byId("keys").showModal(),
  "/": () => { showFilters(true); byId("q")?.focus(); },
};
const ARROWS = {
  ArrowRight: () => press("next"),
  ArrowLeft: () => press("previous"),
  ArrowDown: () => markNext(1),
  ArrowUp: () => markNext(-1),
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input:not([type=checkbox]), textarea, select");
  const form = event.target.closest(".editor");
  if (event.key === "Escape") {
    if (form) leave(form);
    else if (field) field.blur();
    else if (narrow.matches) showFilters(false);
    return;
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field) {
    event.preventDefault();
    form ? form.requestSubmit() : field.blur();
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = key === "s" && event.shiftKey ? () => nextStatement(-1) : ARROWS[event.key] || (keysOn.checked && KEYS[key]);
  if (!act || (event.key.startsWith("Arrow") && event.target.closest(".lines"))) return;
  event.preventDefault();
  act();
});

arrive();
