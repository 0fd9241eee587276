// SPDX-License-Identifier: AGPL-3.0-or-later

// How a message looks on the phone. Everything people wrote goes in as text, never as markup.

const words = {
  in: { sent: "inviato", delivered: "consegnato", read: "letto dal Comune", failed: "non consegnato" },
  out: { held: "trattenuto", accepted: "in arrivo", sent: "in arrivo", delivered: "ricevuto", read: "letto", expired: "scaduto", played: "ascoltato", failed: "non arrivato" },
};

const kinds = { image: "Foto", video: "Video", audio: "Audio", document: "Documento", sticker: "Sticker", location: "Luogo", contacts: "Contatto" };
const emojis = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

export function time(at) {
  return new Date(at).toLocaleTimeString("it-IT", { hour: "2-digit", minute: "2-digit" });
}

export function day(at) {
  return new Date(at).toLocaleDateString("it-IT", { weekday: "long", day: "numeric", month: "long" });
}

// summary is a message in a few words, for quotes and the list.
export function summary(message) {
  return message.text || kinds[message.type] || "Messaggio";
}

// bubble is the element of a message; find looks up another message of the chat.
export function bubble(message, find) {
  const mine = message.direction === "in";
  const item = el("article", {
    class: mine ? "bubble mine-side" : "bubble theirs",
    "data-message-id": message.id, "data-direction": message.direction, "data-type": message.type, "data-status": message.status,
  });
  if (message.reply_to) item.append(quoted(message.reply_to, find));
  item.append(...content(message).filter((part) => part != null));
  item.append(el("p", { class: "meta" }, el("span", {}, time(message.at)), el("span", { class: "state" }, word(message))));
  if (message.error) item.append(el("p", { class: "problem" }, message.error.title));
  item.append(menu(message));
  return item;
}

function word(message) {
  return words[message.direction][message.status] || message.status;
}

export function setStatus(item, message) {
  item.dataset.status = message.status;
  item.querySelector(".state").textContent = word(message);
}

function quoted(id, find) {
  const original = find(id);
  const text = original ? summary(original) : "Messaggio non più disponibile";
  return el("button", { type: "button", class: "quoted", "data-goto": id, "aria-label": "Vai al messaggio citato: " + text }, text);
}

function menu(message) {
  const button = el("button", { type: "button", class: "more", "data-action": "menu", "aria-expanded": "false", "aria-label": "Rispondi o reagisci" }, "⋯");
  const choices = el("div", { class: "menu", hidden: true });
  choices.append(el("button", { type: "button", "data-action": "reply" }, "Rispondi"));
  for (const emoji of emojis) choices.append(el("button", { type: "button", class: "emoji", "data-emoji": emoji, "aria-label": "Reagisci con " + emoji }, emoji));
  choices.append(el("button", { type: "button", class: "emoji", "data-emoji": "", "aria-label": "Togli la reazione" }, "✕"));
  return el("div", { class: "actions" }, button, choices);
}

function content(message) {
  const c = message.content || {};
  switch (message.type) {
    case "text": return [paragraph(message.text)];
    case "image": return [picture(message, c), paragraph(c.caption)];
    case "sticker": return [picture(message, c)];
    case "video": return [player("video", message), paragraph(c.caption)];
    case "audio": return [player("audio", message)];
    case "document": return [documentLink(message, c), paragraph(c.caption)];
    case "location": return [place(c)];
    case "contacts": return (Array.isArray(c) ? c : []).map(card);
    case "interactive": return interactive(c, message);
    case "template": return template(c, message);
    case "button": return [paragraph(message.text)];
    default: return [paragraph(message.text), el("p", { class: "kind" }, "Messaggio di tipo «" + message.type + "»")];
  }
}

// paragraph shows a text with its line breaks and its addresses as links.
function paragraph(text) {
  if (!text) return null;
  const p = el("p", { class: "text" });
  for (const part of text.split(/(https?:\/\/[^\s]+)/)) {
    if (/^https?:\/\//.test(part)) p.append(el("a", { href: part, rel: "noreferrer noopener", target: "_blank" }, part));
    else p.append(part);
  }
  return p;
}

function picture(message, c) {
  const alt = message.type === "sticker" ? "Sticker" : "Foto";
  if (!message.media) return el("p", { class: "kind" }, alt + " da un altro sito: " + (c.link || ""));
  return el("img", { src: message.media, alt, class: message.type, loading: "lazy" });
}

function player(kind, message) {
  if (!message.media) return el("p", { class: "kind" }, kinds[kind] + " da un altro sito");
  const label = message.voice ? "Nota vocale" : kinds[kind];
  return el(kind, { src: message.media, controls: true, preload: "metadata", "aria-label": label, "data-voice": message.voice || null });
}

function documentLink(message, c) {
  const name = c.filename || "documento";
  if (!message.media) return el("p", { class: "kind" }, "Documento: " + name);
  return el("a", { class: "document", href: message.media, target: "_blank", rel: "noreferrer noopener" }, el("span", { "aria-hidden": "true", class: "sheet-icon" }), name);
}

function place(c) {
  const where = [c.name, c.address].filter(Boolean).join(" · ") || "Posizione";
  return el("p", { class: "place" }, el("span", { class: "pin", "aria-hidden": "true" }), el("span", {}, where, el("small", {}, `${c.latitude}, ${c.longitude}`)));
}

function card(c) {
  const phones = (c.phones || []).map((p) => p.phone).join(", ");
  return el("p", { class: "place" }, el("span", { class: "person", "aria-hidden": "true" }), el("span", {}, c.name?.formatted_name || "Contatto", el("small", {}, phones)));
}

function interactive(c, message) {
  if (c.button_reply || c.list_reply) return [paragraph((c.button_reply || c.list_reply).title)];
  const parts = [];
  if (c.header?.text) parts.push(el("p", { class: "heading" }, c.header.text));
  parts.push(paragraph(c.body?.text));
  if (c.footer?.text) parts.push(el("p", { class: "footer" }, c.footer.text));
  return parts.concat(actions(c, message));
}

function actions(c, message) {
  const action = c.action || {};
  switch (c.type) {
    case "button":
      return (action.buttons || []).map(({ reply }) => el("button", { type: "button", class: "tap", "data-action": "button", "data-reply-id": reply.id, "data-title": reply.title }, reply.title));
    case "list":
      return [el("button", { type: "button", class: "tap", "data-action": "list" }, action.button)];
    case "cta_url":
      return [el("a", { class: "tap", href: safeLink(action.parameters?.url), target: "_blank", rel: "noreferrer noopener" }, action.parameters?.display_text || "Apri")];
    case "location_request_message":
      return [el("button", { type: "button", class: "tap", "data-action": "place" }, "Invia la posizione")];
    case "contact_request":
    case "request_contact_info":
      return [el("button", { type: "button", class: "tap", "data-action": "share-phone" }, "Condividi il numero")];
    default:
      return message.type === "interactive" ? [el("p", { class: "kind" }, "Azione «" + c.type + "»")] : [];
  }
}

function template(c, message) {
  const parts = [];
  if (c.header) parts.push(el("p", { class: "heading" }, c.header));
  if (c.media_type === "image") parts.push(picture({ ...message, type: "image" }, c.media || {}));
  else if (c.media_type === "document") parts.push(documentLink(message, c.media || {}));
  else if (c.media_type === "video") parts.push(player("video", message));
  else if (c.media_type === "location") parts.push(place(c.media || {}));
  parts.push(paragraph(c.body));
  if (c.footer) parts.push(el("p", { class: "footer" }, c.footer));
  for (const b of c.buttons || []) {
    if (b.type === "QUICK_REPLY") parts.push(el("button", { type: "button", class: "tap", "data-action": "quick", "data-reply-id": b.payload, "data-title": b.text }, b.text));
    else if (b.type === "REQUEST_CONTACT_INFO") parts.push(el("button", { type: "button", class: "tap", "data-action": "share-phone" }, b.text || "Condividi il numero"));
    else if (b.type === "URL") parts.push(el("a", { class: "tap", href: safeLink(b.url), target: "_blank", rel: "noreferrer noopener" }, b.text));
    else parts.push(el("p", { class: "tap" }, b.text || b.type));
  }
  return parts;
}

// safeLink lets only web addresses through: a script in an address must not run here.
function safeLink(url) {
  return /^https?:\/\//.test(url || "") ? url : "#";
}

// reactionsOf puts the last reaction of each side under the message it is about.
export function showReactions(chat, messages) {
  chat.querySelectorAll(".reaction").forEach((node) => node.remove());
  const last = new Map();
  for (const m of messages) {
    if (m.type === "reaction" && m.content) last.set(m.direction + m.content.message_id, m);
  }
  for (const m of last.values()) {
    const target = chat.querySelector(`[data-message-id="${CSS.escape(m.content.message_id)}"]`);
    if (!target || !m.content.emoji) continue;
    const who = m.direction === "in" ? "Reazione del cittadino: " : "Reazione del Comune: ";
    target.append(el("span", { class: "reaction", role: "img", "aria-label": who + m.content.emoji }, m.content.emoji));
  }
}
