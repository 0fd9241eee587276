// SPDX-License-Identifier: AGPL-3.0-or-later

import * as api from "./api.js";
import { bubble, day, el, setStatus, showReactions, summary, time } from "./bubbles.js";

const $ = (id) => document.getElementById(id);
const chat = $("phone-messages");

// The open phone: who holds it, whom it writes to, what was said.
const open = { citizen: null, number: "", messages: [], replyTo: null };

const places = [
  { name: "Piazza Tre Martiri", address: "Rimini", latitude: 44.0594, longitude: 12.5683 },
  { name: "Buca sulla carreggiata", address: "Via Garibaldi 12, Rimini", latitude: 44.0601, longitude: 12.5631 },
  { name: "Piazza dei Martiri", address: "Carpi", latitude: 44.7836, longitude: 10.8853 },
  { name: "Piazza del Duomo", address: "Pistoia", latitude: 43.9333, longitude: 10.9175 },
  { name: "Piazza Grande", address: "Arezzo", latitude: 43.4663, longitude: 11.8832 },
  { name: "Piazza Varchi", address: "Montevarchi", latitude: 43.5237, longitude: 11.5674 },
];

// ---- loading

async function begin() {
  const wanted = new URLSearchParams(location.search);
  await loadNumbers(wanted.get("number"));
  await loadCitizens();
  await loadFaults();
  const address = (wanted.get("citizen") || "").trim().replace(/^(?=\d)/, "+");
  const first = address || document.querySelector("#citizens [data-address]")?.dataset.address;
  if (first) await openPhone(first, Boolean(wanted.get("number")));
  else showEmpty();
  listen();
}

let accounts = [];

async function loadNumbers(wanted) {
  accounts = await api.accounts();
  accounts.sort((a, b) => Boolean(b.webhook_url) - Boolean(a.webhook_url)); // those that lead to a desk first
  $("number").replaceChildren(...accounts.map((a) => el("option", { value: a.phone_number_id, "data-digits": a.display_number }, a.verified_name || a.display_number)));
  if (wanted && accounts.some((a) => a.phone_number_id === wanted)) $("number").value = wanted;
  useNumber();
}

function useNumber() {
  open.number = $("number").value;
  const option = $("number").selectedOptions[0];
  $("number-digits").textContent = option?.dataset.digits || "";
  $("face").textContent = initials(option?.textContent.replace(/^Comune di /, "") || "?");
  showFacts(accounts.find((a) => a.phone_number_id === open.number));
}

// showFacts tells whoever sets up a desk what it needs to reach this number.
function showFacts(account) {
  if (!account) return;
  const facts = [["Numero (id)", account.phone_number_id], ["Account (WABA)", account.waba_id], ["Webhook", account.webhook_url || "non ancora impostato"],
    ["In attesa", String(account.webhooks.pending)]];
  $("number-facts").replaceChildren(...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

async function addNumber(event) {
  event.preventDefault();
  try {
    const made = await api.addAccount({ verified_name: $("account-name").value, display_number: $("account-digits").value,
      token: $("account-token").value, app_secret: $("account-secret").value, verify_token: $("account-verify").value });
    $("number-dialog").close();
    await loadNumbers(made.phone_number_id);
    await loadChat();
    showPane(null);
  } catch (error) {
    $("number-problem").textContent = "Serve un numero internazionale non ancora usato, come +39 059 649213.";
    $("number-problem").hidden = false;
  }
}

function initials(name) {
  return name.split(/\s+/).slice(0, 2).map((part) => part[0] || "").join("").toUpperCase();
}

async function loadCitizens() {
  const people = await api.citizens();
  $("citizens").replaceChildren(...people.map(person));
  $("no-citizens").hidden = people.length > 0;
  markOpen();
}

// contents are the words for a last message without any.
const contents = { "[image]": "Foto", "[audio]": "Messaggio vocale", "[video]": "Video", "[document]": "Documento", "[sticker]": "Sticker", "[location]": "Luogo",
  "[contacts]": "Contatto", "[template]": "Modello" };

function person(c) {
  return el("li", {}, el("button", { type: "button", "data-address": c.address },
    el("span", { class: "face small", "aria-hidden": "true" }, initials(c.name || "?")),
    el("span", { class: "who" },
      el("strong", {}, c.name || c.address),
      el("small", {}, contents[c.last_text] || c.last_text || c.display || c.username || "")),
    c.last_at ? el("span", { class: "when" }, time(c.last_at)) : null));
}

function markOpen() {
  for (const button of document.querySelectorAll("#citizens [data-address]")) {
    if (open.citizen?.address === button.dataset.address) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function showEmpty() {
  $("mine").textContent = "Scelga o crei un cittadino per cominciare.";
}

async function openPhone(address, keepNumber) {
  open.citizen = await api.citizen(address);
  const chats = open.citizen.numbers || [];
  if (!keepNumber && chats.length > 0 && !chats.includes(open.number)) { // show a chat there is
    $("number").value = chats[0];
    useNumber();
  }
  const label = [open.citizen.name, open.citizen.display || open.citizen.username].filter(Boolean).join(" · ");
  $("mine").textContent = "Telefono di " + label;
  $("phone-off").checked = Boolean(open.citizen.offline);
  for (const box of document.querySelectorAll("[data-trait]")) box.checked = Boolean(open.citizen[box.dataset.trait]);
  $("phone-blocks").checked = Boolean(open.citizen.blocked_us);
  showMarketing();
  cancelReply();
  rememberInAddress();
  markOpen();
  showPane(null);
  await loadChat();
}

function rememberInAddress() {
  const query = new URLSearchParams({ citizen: open.citizen.address, number: open.number });
  history.replaceState(null, "", "/?" + query);
}

async function loadChat() {
  if (!open.citizen) return;
  delete chat.dataset.loaded;
  open.messages = await api.messages(open.citizen.address, open.number);
  chat.replaceChildren();
  open.messages.forEach(show);
  showReactions(chat, open.messages);
  chat.dataset.loaded = "true";
  chat.scrollTop = chat.scrollHeight;
  markRead();
}

function show(message) {
  if (message.type === "reaction") return;
  const before = chat.lastElementChild;
  const today = day(message.at);
  if (!before || before.dataset.day !== today) chat.append(el("p", { class: "day", "data-day": today }, today));
  const item = bubble(message, (id) => open.messages.find((m) => m.id === id));
  item.dataset.day = today;
  chat.append(item);
}

// ---- what happens meanwhile

let later;

function listen() {
  const stream = api.events();
  stream.addEventListener("ready", () => { loadChat(); loadCitizens(); });
  stream.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.kind === "faults") loadFaults();
    if (event.kind === "reset") location.reload();
    if (event.kind === "gap") { loadChat(); loadCitizens(); }
    if (isHere(event)) happen(event);
    if (event.kind === "message" || event.kind === "citizens") {
      clearTimeout(later);
      later = setTimeout(loadCitizens, 150);
    }
  };
}

function isHere(event) {
  if (!open.citizen || event.number !== open.number) return false;
  return event.address === open.citizen.address || open.citizen.user_id.slice(3, 15) === event.address;
}

function happen(event) {
  if (event.kind === "typing") return typing(event.for);
  if (event.kind !== "message" && event.kind !== "status") return;
  const at = open.messages.findIndex((m) => m.id === event.message.id);
  if (at < 0) arrive(event.message);
  else {
    open.messages[at] = event.message;
    const item = chat.querySelector(`[data-message-id="${CSS.escape(event.message.id)}"]`);
    if (item) setStatus(item, event.message);
  }
  if (event.message.direction === "out" && event.message.status === "delivered") markRead();
}

function arrive(message) {
  const atBottom = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  open.messages.push(message);
  show(message);
  showReactions(chat, open.messages);
  if (message.direction === "out") typing(0);
  if (atBottom || message.direction === "in") chat.scrollTop = chat.scrollHeight;
}

let typingEnds;

function typing(seconds) {
  clearTimeout(typingEnds);
  if (seconds <= 0) return notice("");
  notice("Il Comune sta scrivendo…");
  typingEnds = setTimeout(() => notice(""), seconds * 1000);
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

async function markRead() {
  if (document.visibilityState !== "visible" || !open.citizen) return;
  await attempt(() => api.read(open.citizen.address, open.number));
}

// attempt shows what went wrong instead of leaving it in the console.
async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice("Non è riuscito: " + error.message);
    return null;
  }
}

// ---- writing

async function write(message) {
  if (!open.citizen) { $("citizen-dialog").showModal(); return null; }
  const body = { number: open.number, ...message };
  if (open.replyTo && !message.reaction) body.reply_to = open.replyTo;
  const sent = await attempt(() => api.write(open.citizen.address, body));
  if (sent && !message.reaction) cancelReply();
  return sent;
}

async function submitText() {
  const text = $("phone-text").value;
  if (!text.trim()) return;
  if (await write({ text })) { $("phone-text").value = ""; grow(); }
}

function grow() {
  const box = $("phone-text");
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight, 120) + "px";
}

async function sendFile(file) {
  const kind = { image: "image", video: "video", audio: "audio" }[file.type.split("/")[0]] || "document";
  const media = { data: await base64(file), mime: file.type || "application/octet-stream", filename: file.name };
  if (kind === "audio") media.voice = false;
  await write({ [kind]: media });
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

let recorder;

// record starts or ends a voice note; without a microphone the built-in one is sent.
async function record() {
  if (recorder) return recorder.stop();
  const stream = await navigator.mediaDevices?.getUserMedia({ audio: true }).catch(() => null);
  if (!stream || !window.MediaRecorder) {
    notice("Senza microfono: inviata una nota vocale di prova.");
    return write({ voice: true });
  }
  const mimeType = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"].find((type) => MediaRecorder.isTypeSupported(type));
  const parts = [];
  recorder = new MediaRecorder(stream, { mimeType });
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = async () => {
    recorder = null;
    $("phone-record").setAttribute("aria-pressed", "false");
    notice("");
    stream.getTracks().forEach((track) => track.stop());
    const type = mimeType.split(";")[0];
    await write({ voice: { data: await base64(new Blob(parts)), mime: type } });
  };
  recorder.start();
  $("phone-record").setAttribute("aria-pressed", "true");
  notice("Registrazione in corso: prema di nuovo per inviare.");
}

function replyTo(id) {
  const message = open.messages.find((m) => m.id === id);
  open.replyTo = id;
  $("quote-who").textContent = message.direction === "in" ? "Risposta a se stessi" : "Risposta al Comune";
  $("quote-text").textContent = summary(message);
  $("quote").hidden = false;
  $("phone-text").focus();
}

function cancelReply() {
  open.replyTo = null;
  $("quote").hidden = true;
}

// ---- taps on bubbles

async function tap(target) {
  const item = target.closest("[data-message-id]");
  const id = item?.dataset.messageId;
  const title = target.dataset.title;
  if (target.dataset.goto) return goTo(target.dataset.goto);
  if ("emoji" in target.dataset) { closeMenus(); return write({ reaction: { message_id: id, emoji: target.dataset.emoji } }); }
  switch (target.dataset.action) {
    case "menu": return toggleMenu(target);
    case "reply": closeMenus(); return replyTo(id);
    case "button": return write({ button_reply: { id: target.dataset.replyId, title }, reply_to: id });
    case "quick": return write({ button: { payload: target.dataset.replyId, text: title }, reply_to: id });
    case "list": return openList(id);
    case "place": return openPlace();
    case "share-phone": return write({ reply_to: id, share_phone: true });
  }
}

function goTo(id) {
  const original = chat.querySelector(`[data-message-id="${CSS.escape(id)}"]`);
  original?.scrollIntoView({ block: "center" });
  original?.classList.add("shown");
  setTimeout(() => original?.classList.remove("shown"), 1500);
}

function toggleMenu(button) {
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  closeMenus();
  button.setAttribute("aria-expanded", String(!wasOpen));
  button.nextElementSibling.hidden = wasOpen;
}

function closeMenus() {
  for (const button of chat.querySelectorAll('[data-action="menu"][aria-expanded="true"]')) {
    button.setAttribute("aria-expanded", "false");
    button.nextElementSibling.hidden = true;
  }
}

function openList(id) {
  const { action, body } = open.messages.find((m) => m.id === id).content;
  $("list-title").textContent = body.text;
  $("list-rows").replaceChildren(...action.sections.map((section) => el("section", {},
    section.title ? el("h3", {}, section.title) : null,
    ...section.rows.map((row) => listRow(row, id)))));
  $("list-dialog").showModal();
}

function listRow(row, id) {
  const button = el("button", { type: "button", class: "list-row", "data-reply-id": row.id }, row.title, row.description ? el("small", {}, row.description) : null);
  button.addEventListener("click", async () => {
    $("list-dialog").close();
    await write({ list_reply: { id: row.id, title: row.title, description: row.description }, reply_to: id });
  });
  return button;
}

// ---- dialogs

function openPlace() {
  if (!$("place-preset").options.length) {
    $("place-preset").append(...places.map((p, i) => el("option", { value: i }, `${p.name}, ${p.address}`)));
    fillPlace();
  }
  $("place-dialog").showModal();
}

function fillPlace() {
  const p = places[$("place-preset").value];
  for (const field of ["latitude", "longitude", "name", "address"]) $("place-" + field).value = p[field];
}

async function sendPlace() {
  const number = (id) => Number($(id).value.replace(",", "."));
  await write({ location: { latitude: number("place-latitude"), longitude: number("place-longitude"), name: $("place-name").value, address: $("place-address").value } });
}

function newCitizen() {
  $("new-phone").value = "+39 3" + String(Math.floor(200000000 + Math.random() * 799999999));
  $("new-name").value = "";
  $("new-username").value = "";
  $("citizen-problem").hidden = true;
  $("citizen-dialog").showModal();
  $("new-name").focus();
}

async function saveCitizen(event) {
  event.preventDefault();
  const phone = $("new-phone").value.trim();
  const username = $("new-username").value.trim();
  const fields = { phone, name: $("new-name").value.trim() };
  if (username) fields.username = username;
  if (username && !phone) fields.bsuid_only = true;
  try {
    const made = await api.saveCitizen(fields);
    $("citizen-dialog").close();
    await loadCitizens();
    await openPhone(made.address);
    $("phone-text").focus();
  } catch (error) {
    $("citizen-problem").textContent = "Serve un telefono con il prefisso, come +39 333 1234567, oppure solo un nome utente.";
    $("citizen-problem").hidden = false;
  }
}

// ---- faults

const switches = {
  "fault-answers": (f, on) => { f.answer_delay = on ? "5s" : undefined; },
  "fault-late": (f, on) => { f.webhook_delay = on ? "10s" : undefined; },
  "fault-duplicate": (f, on) => { f.webhook_duplicates = on ? 1 : undefined; },
  "fault-reorder": (f, on) => { f.webhook_reorder = on || undefined; },
  "fault-refuse": (f, on) => { f.refuse = on ? [{ code: Number($("refuse-code").value) }] : undefined; },
  "fault-window": (f, on) => { f.window_closed = on || undefined; },
  "fault-down": (f, on) => { f.broken = on ? [{ kind: "status", status: 500 }] : undefined; },
};

async function loadFaults() {
  const f = await api.faults();
  $("fault-answers").checked = Boolean(f.answer_delay);
  $("fault-late").checked = Boolean(f.webhook_delay);
  $("fault-duplicate").checked = Boolean(f.webhook_duplicates);
  $("fault-reorder").checked = Boolean(f.webhook_reorder);
  $("fault-refuse").checked = Boolean(f.refuse?.length);
  $("fault-window").checked = Boolean(f.window_closed);
  $("fault-down").checked = Boolean(f.broken?.length);
  if (f.refuse?.length) $("refuse-code").value = String(f.refuse[0].code);
}

async function switchFault(id) {
  const f = await api.faults();
  switches[id](f, $(id).checked);
  await attempt(() => api.setFaults(f));
}

async function setTrait(name, on) {
  if (!open.citizen) return;
  const fields = { phone: open.citizen.phone || "", [name]: on };
  if (!open.citizen.phone) Object.assign(fields, { username: open.citizen.username, bsuid_only: true });
  await attempt(() => api.saveCitizen(fields));
}

function askNumber() {
  if (!open.citizen) return;
  $("change-phone").value = "";
  $("change-problem").hidden = true;
  $("change-dialog").showModal();
}

async function changeNumber(event) {
  event.preventDefault();
  try {
    const changed = await api.changeNumber(open.citizen.address, $("change-phone").value.trim());
    $("change-dialog").close();
    await loadCitizens();
    await openPhone(changed.address);
  } catch {
    $("change-problem").textContent = "Serve un telefono con il prefisso, che nessun altro usa, come +39 333 1234567.";
    $("change-problem").hidden = false;
  }
}

async function changeUserID() {
  if (!open.citizen) return;
  if (await attempt(async () => { open.citizen = await api.changeUserID(open.citizen.address); })) notice("Lo sportello conosce ora un altro identificativo.");
}

function showMarketing() {
  $("phone-marketing").checked = Boolean(open.citizen?.stopped?.includes(open.number));
}

async function setMarketing(stopped) {
  if (!open.citizen) return;
  await attempt(async () => { open.citizen = await api.prefer(open.citizen.address, open.number, stopped ? "stop" : "resume"); });
  showMarketing();
}

// ---- narrow screens show one pane at a time

function showPane(id) {
  for (const pane of ["people", "trouble"]) $(pane).classList.toggle("in-front", pane === id);
}

// ---- wiring

chat.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) tap(button); else closeMenus();
});
chat.addEventListener("play", ({ target }) => {
  const item = target.closest("[data-message-id]");
  if ("voice" in target.dataset && item.dataset.direction === "out") attempt(() => api.played(item.dataset.messageId));
}, true);
chat.addEventListener("loadedmetadata", () => { chat.scrollTop = chat.scrollHeight; }, { capture: true, once: true });
$("citizens").addEventListener("click", ({ target }) => {
  const button = target.closest("[data-address]");
  if (button) openPhone(button.dataset.address);
});
$("number").addEventListener("change", () => { useNumber(); showMarketing(); if (open.citizen) rememberInAddress(); loadChat(); });
$("phone-form").addEventListener("submit", (event) => { event.preventDefault(); submitText(); });
$("phone-text").addEventListener("input", grow);
$("phone-text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submitText(); }
});
$("phone-attach").addEventListener("click", () => toggleSheet($("attach-sheet").hidden));
$("attach-sheet").addEventListener("click", ({ target }) => { if (target.closest("button")) toggleSheet(false); });
for (const [id, message] of [["attach-photo", { image: { sample: true, caption: "" } }], ["attach-voice", { voice: true }], ["attach-video", { video: true }], ["attach-document", { document: true }], ["attach-sticker", { sticker: true }],
  ["attach-contact", { contacts: [{ name: { formatted_name: "Idraulico Bruno", first_name: "Bruno" }, phones: [{ phone: "+39 0541 555555", type: "WORK" }] }] }]]) {
  $(id).addEventListener("click", () => write(message));
}
$("attach-place").addEventListener("click", openPlace);
$("phone-file").addEventListener("change", async ({ target }) => {
  toggleSheet(false);
  if (target.files[0]) await sendFile(target.files[0]);
  target.value = "";
});
$("phone-record").addEventListener("click", record);
$("quote-cancel").addEventListener("click", cancelReply);
$("new-citizen").addEventListener("click", newCitizen);
$("citizen-form").addEventListener("submit", saveCitizen);
$("new-number").addEventListener("click", () => { $("number-problem").hidden = true; $("number-dialog").showModal(); });
$("number-form").addEventListener("submit", addNumber);
$("place-preset").addEventListener("change", fillPlace);
$("place-form").addEventListener("submit", sendPlace);
for (const cancel of document.querySelectorAll("dialog [data-cancel]")) cancel.addEventListener("click", () => cancel.closest("dialog").close());
for (const button of document.querySelectorAll("[data-open]")) button.addEventListener("click", () => showPane(button.dataset.open));
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => showPane(null));
for (const id of Object.keys(switches)) $(id).addEventListener("change", () => switchFault(id));
$("refuse-code").addEventListener("change", () => { if ($("fault-refuse").checked) switchFault("fault-refuse"); });
$("fault-off").addEventListener("click", () => attempt(() => api.setFaults({})));
$("phone-off").addEventListener("change", ({ target }) => setTrait("offline", target.checked));
for (const box of document.querySelectorAll("[data-trait]")) box.addEventListener("change", () => setTrait(box.dataset.trait, box.checked));
$("change-number").addEventListener("click", askNumber);
$("change-form").addEventListener("submit", changeNumber);
$("change-user-id").addEventListener("click", changeUserID);
$("phone-blocks").addEventListener("change", ({ target }) => setTrait("blocked_us", target.checked));
$("phone-marketing").addEventListener("change", ({ target }) => setMarketing(target.checked));
$("clock-day").addEventListener("click", async () => { if (await attempt(() => api.advance("24h"))) notice("Ora per WhatsApp è domani."); });
document.addEventListener("visibilitychange", markRead);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") { closeMenus(); toggleSheet(false); } });

function toggleSheet(show) {
  $("attach-sheet").hidden = !show;
  $("phone-attach").setAttribute("aria-expanded", String(show));
}

begin();
