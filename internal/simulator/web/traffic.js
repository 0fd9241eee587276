// SPDX-License-Identifier: AGPL-3.0-or-later

import { el } from "./bubbles.js";

const $ = (id) => document.getElementById(id);
const italian = navigator.language.startsWith("it");

// Each text in English and Italian.
const texts = {
  title: ["Traffic", "Traffico"],
  lead: ["What programs ask the simulator, and the webhooks it sends them.", "Che cosa i programmi chiedono al simulatore, e i webhook che ricevono."],
  phones: ["To the phones", "Ai telefoni"],
  list: ["Requests and webhooks", "Richieste e webhook"],
  search: ["Search in addresses and bodies", "Cerca in indirizzi e contenuti"],
  show: ["Show", "Mostra"],
  everything: ["everything", "tutto"],
  requests: ["requests", "richieste"],
  webhooks: ["webhooks", "webhook"],
  hold: ["Hold the list still", "Ferma l’elenco"],
  nothing: ["Nothing has passed yet that fits.", "Non è ancora passato nulla che corrisponda."],
  back: ["Back to the list", "Torna all’elenco"],
  choose: ["Choose a request or a webhook to see all of it.", "Scegli una richiesta o un webhook per vederlo per intero."],
  replay: ["Do it again", "Ripeti"],
  asSent: ["Bodies as they were sent", "Contenuti come furono inviati"],
  headers: ["Headers", "Intestazioni"],
  body: ["Body", "Contenuto"],
  answer: ["Answer", "Risposta"],
  request: ["request", "richiesta"],
  webhook: ["webhook", "webhook"],
  again: ["repeated", "ripetuta"],
  noAnswer: ["no answer", "senza risposta"],
  waiting: ["new ones wait", "nuovi in attesa"],
  repeated: ["Done again: it is the newest of the list.", "Ripetuto: è il più recente dell’elenco."],
  notKept: ["This one is not kept any more.", "Non è più conservato."],
  cut: ["Only the beginning was kept.", "Ne è conservato solo l’inizio."],
};
const say = (name) => texts[name][italian ? 1 : 0];

const most = 500; // lines in the list
let open = null; // the exchange in the detail
let waiting = 0; // new ones while the list is held

async function ask(method, path) {
  const response = await fetch("/simulator/traffic" + path, { method });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function filterQuery() {
  return new URLSearchParams({ kind: $("filter-kind").value, text: $("filter-text").value.trim(), limit: most }).toString();
}

async function load() {
  const { items } = await ask("GET", "?" + filterQuery());
  list(items.reverse());
  waiting = 0;
  showNews();
  $("traffic").dataset.loaded = "";
}

// list leaves the lines that are there already where they are: a new one takes neither the focus nor the place being read.
function list(exchanges) {
  const had = new Map([...$("traffic").children].map((li) => [li.firstElementChild.dataset.seq, li]));
  const lines = exchanges.map((exchange) => {
    const fresh = line(exchange);
    const old = had.get(String(exchange.seq));
    return old?.isEqualNode(fresh) ? old : fresh;
  });
  const kept = new Set(lines);
  for (const li of had.values()) if (!kept.has(li)) li.remove();
  lines.forEach((li, i) => {
    const there = $("traffic").children[i];
    if (there !== li) $("traffic").insertBefore(li, there ?? null);
  });
}

function line(exchange) {
  const failed = exchange.status === 0 || exchange.status >= 400;
  const button = el("button", { type: "button", "data-seq": exchange.seq, "data-kind": exchange.kind, "aria-current": open?.seq === exchange.seq ? "true" : null },
    el("span", { class: "kind" }, say(exchange.kind)),
    el("span", { class: "what" }, [exchange.what, exchange.again ? say("again") : ""].filter(Boolean).join(" · ")),
    el("span", { class: failed ? "status bad" : "status" }, exchange.status ? String(exchange.status) : say("noAnswer")),
    el("span", { class: "path" }, `${clock(exchange.at)} ${exchange.method} ${exchange.url}`));
  return el("li", {}, button);
}

function clock(at) {
  return new Date(at).toLocaleTimeString(italian ? "it-IT" : "en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function showNews() {
  $("news").textContent = waiting ? `${waiting} ${say("waiting")}` : "";
  $("nothing").hidden = $("traffic").children.length > 0;
}

// ---- new ones

let due = null;

// soon loads the list once for all that comes within a moment: a broadcast would else load it a thousand times.
function soon() {
  due ??= setTimeout(() => { due = null; load(); }, 150);
}

function listen() {
  const events = new EventSource("/simulator/events?traffic=1");
  let was = false;
  events.addEventListener("ready", () => { if (was) soon(); was = true; });
  events.onmessage = ({ data }) => {
    const { kind } = JSON.parse(data);
    if (kind !== "traffic" && kind !== "gap" && kind !== "reset") return;
    if ($("hold").checked && kind === "traffic") { waiting++; showNews(); return; }
    soon();
  };
}

// ---- one of them

async function show(seq) {
  try {
    open = await ask("GET", "/" + seq);
  } catch {
    $("news").textContent = say("notKept");
    return;
  }
  for (const button of $("traffic").querySelectorAll("[data-seq]")) {
    if (button.dataset.seq === String(seq)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  $("replayed").textContent = "";
  $("detail-body").hidden = false;
  $("detail-title").textContent = `${open.method} ${open.url}`;
  $("detail-facts").textContent = [say(open.kind), open.status || say("noAnswer"), open.took, clock(open.at), open.problem, open.body_cut ? say("cut") : ""].filter(Boolean).join(" · ");
  showHeaders($("headers"), open.headers);
  showHeaders($("answer-headers"), open.answer_headers);
  showBodies();
  $("detail").dataset.seq = seq;
  $("stage").classList.add("showing-detail");
  $("detail").focus();
}

function showHeaders(list, headers) {
  list.replaceChildren(...headers.flatMap(({ name, value }) => [el("dt", {}, name), el("dd", {}, value)]));
}

function showBodies() {
  for (const part of ["body", "answer"]) $(part).textContent = $("as-sent").checked ? open[part] : pretty(open[part]);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function replay() {
  $("replay").disabled = true;
  try {
    await ask("POST", `/${open.seq}/replay`);
    $("replayed").textContent = say("repeated");
  } catch (error) {
    $("replayed").textContent = error.message;
  }
  $("replay").disabled = false;
  $("replay").focus();
}

// ---- wiring

document.documentElement.lang = italian ? "it" : "en";
document.title = say("title");
for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
$("traffic").addEventListener("click", ({ target }) => {
  const button = target.closest("[data-seq]");
  if (button) show(button.dataset.seq);
});
$("traffic").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const item = event.target.closest("li");
  if (!step || !item) return;
  event.preventDefault();
  (step > 0 ? item.nextElementSibling : item.previousElementSibling)?.firstElementChild.focus();
});
$("filter").addEventListener("submit", (event) => { event.preventDefault(); load(); });
$("filter-text").addEventListener("input", soon);
$("filter-kind").addEventListener("change", load);
$("hold").addEventListener("change", () => { if (!$("hold").checked) load(); });
$("as-sent").addEventListener("change", showBodies);
$("replay").addEventListener("click", replay);
$("back").addEventListener("click", () => {
  $("stage").classList.remove("showing-detail");
  $("traffic").querySelector("[aria-current]")?.focus();
});

load().then(listen);
