// SPDX-License-Identifier: AGPL-3.0-or-later

import { alertWith } from "./alerts.js"
import { toBottom } from "./thread.js"
import { say } from "./words.js"

// Nothing typed is ever lost: it goes to the server a moment after each pause, at once when the person
// leaves, and stays in the page until the server has it. The draft's id makes sending twice send once.

const pause = 600
const typingFor = 20000 // WhatsApp shows typing for 25 seconds
let timer = 0
let retry = 0
let typingShown = 0
let leaving = null // the text under way to the server, null when none is

const form = () => document.getElementById("composer")
const text = () => document.getElementById("text")

export function startComposer() {
  ready()
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id === "pane") ready()
  })
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.target.id === "pane") saveNow()
  })
  document.addEventListener("input", (e) => {
    if (e.target === text()) changed()
  })
  document.addEventListener("change", (e) => {
    if (e.target.name === "mode" && e.target.form === form()) modeChanged()
    if (e.target.id === "attach") attached()
  })
  document.addEventListener("keydown", (e) => {
    if (e.target === text()) enter(e)
  })
  document.addEventListener("click", (e) => {
    const quote = e.target.closest("[data-quote]")
    if (quote && mode() === "note" && text().value.trim()) { // what is for colleagues must not become a reply
      state("note_first")
      text().focus()
      return
    }
    if (quote) quoted(quote.dataset)
    if (e.target.closest("[data-unquote]")) unquote()
    const ask = e.target.closest("[data-ask]")
    if (ask) suggest(ask.dataset.ask)
    const remove = e.target.closest("[data-remove-file]")
    if (remove) removeFile(Number(remove.dataset.removeFile))
  })
  document.addEventListener("htmx:configRequest", (e) => {
    if (e.detail.elt === form() && !sendable()) e.preventDefault()
  })
  document.addEventListener("htmx:beforeRequest", (e) => {
    if (e.detail.elt !== form()) return
    clearTimeout(timer)
    leaving = text().value
  })
  document.addEventListener("htmx:afterRequest", (e) => {
    if (e.detail.elt !== form()) return
    leaving = null
    renew(form().elements.draft.value, e.detail.xhr.getResponseHeader("Desk-Draft"))
  })
  // The server's word that the message is committed; only then the text goes.
  document.addEventListener("desk:sent", (e) => sent(e.detail))
  document.addEventListener("paste", (e) => {
    if (e.target === text() && e.clipboardData.files.length) {
      e.preventDefault()
      addFiles(e.clipboardData.files)
    }
  })
  startDrop()
  document.addEventListener("visibilitychange", () => document.hidden && saveNow())
  addEventListener("pagehide", saveNow)
  addEventListener("online", save)
  addEventListener("beforeunload", (e) => {
    if (unsaved()) e.preventDefault()
  })
}

function ready() {
  leaving = null
  if (!form()) return
  form().dataset.saved = snapshot()
  modeChanged(false)
  show()
}

function snapshot() {
  const { draft, reply_to } = form().elements
  return `${draft.value}\n${mode()}\n${reply_to.value}\n${text().value}`
}

function mode() {
  return form().elements.mode.value
}

function unsaved() {
  return form() && form().dataset.saved !== snapshot()
}

function changed() {
  show()
  clearTimeout(timer)
  timer = setTimeout(save, pause)
}

function modeChanged(focus = true) {
  text().placeholder = mode() === "note" ? text().dataset.note : text().dataset.reply
  show()
  if (focus) {
    text().focus()
    changed()
  }
}

// show fits the field to its text where the browser does not, and counts near the limit.
function show() {
  const field = text()
  if (!CSS.supports("field-sizing", "content")) {
    field.rows = Math.min(Math.max(field.value.split("\n").length, 1), 12)
  }
  const left = Number(form().dataset.limit) - [...field.value].length
  const counter = document.getElementById("count")
  counter.textContent = left < 0 ? say("over", { n: -left }) : left < 500 ? say("left", { n: left }) : ""
  counter.classList.toggle("is-over", left < 0)
}

async function save() {
  if (!unsaved()) return
  const written = snapshot()
  const address = form().dataset.draftAddress
  const key = form().elements.draft.value
  try {
    const answer = await put(address)
    if (answer.status === 401) document.getElementById("alerts").innerHTML = await answer.text()
    if (answer.status === 409 && form()?.dataset.draftAddress === address) {
      // A message has left under this id. While it is on its way its own answer brings the next one.
      if (leaving === null) renew(key, answer.headers.get("Desk-Draft"))
      return
    }
    if (!answer.ok) throw new Error(String(answer.status))
    if (form()?.dataset.draftAddress !== address) return
    form().dataset.saved = written
    retry = 0
    state("saved")
  } catch {
    state("unsaved")
    retry = Math.min(retry + 1, 6)
    clearTimeout(timer)
    timer = setTimeout(save, 1000 * 2 ** retry)
  }
}

// renew gives what is written a fresh id, once something else went out under the one it has.
function renew(used, fresh) {
  if (!fresh || !form() || form().elements.draft.value !== used) return
  form().elements.draft.value = fresh
  changed()
}

// saveNow is for a person who leaves: the request outlives the page.
function saveNow() {
  clearTimeout(timer)
  if (unsaved()) {
    put(form().dataset.draftAddress).catch(() => {})
    form().dataset.saved = snapshot()
  }
}

function put(address) {
  const { draft, reply_to } = form().elements
  const body = new URLSearchParams({ text: text().value, mode: mode(), draft: draft.value, reply_to: reply_to.value })
  if (mode() === "reply" && Date.now() - typingShown > typingFor) {
    typingShown = Date.now()
    body.set("typing", "1")
  }
  return fetch(address, { method: "PUT", body, keepalive: true, headers: { "HX-Request": "true" } })
}

function state(key) {
  const label = document.getElementById("draft-state")
  if (label) label.textContent = key ? say(key) : ""
}

function sendable() {
  const left = Number(form().dataset.limit) - [...text().value].length
  return left >= 0 && (text().value.trim() !== "" || attach().files.length > 0)
}

function enter(e) {
  if (e.key !== "Enter" || e.isComposing || e.shiftKey || e.altKey) return
  const sends = "enterSends" in document.body.dataset ? true : e.ctrlKey || e.metaKey
  if (!sends) return
  e.preventDefault()
  if (form().querySelector(".composer-send").offsetParent) form().requestSubmit()
}

function sent({ draft, sent }) {
  if (!form() || form().elements.draft.value !== sent) return
  form().elements.draft.value = draft
  const added = since(leaving ?? text().value)
  text().value = added
  attach().value = ""
  attached()
  unquote()
  form().querySelector('[name="mode"][value="reply"]').checked = true
  modeChanged(false)
  if (added) changed()
  else form().dataset.saved = snapshot()
  state("")
  toBottom()
  text().focus()
}

// since is what was typed while the text before it was on its way.
function since(gone) {
  const now = text().value
  const rest = now.startsWith(gone) ? now.slice(gone.length) : now
  return rest.trim() === "" ? "" : rest
}

// Quoting

function quoted({ quote, author, text: words }) {
  form().elements.reply_to.value = quote
  const box = document.getElementById("quoting")
  box.querySelector(".quote-author").textContent = author
  box.querySelector(".quote-text").textContent = words
  box.hidden = false
  write("reply")
}

function unquote() {
  form().elements.reply_to.value = ""
  document.getElementById("quoting").hidden = true
}

// write goes to the text in a mode: reply or note.
export function write(wanted) {
  if (!form()) return
  form().querySelector(`[name="mode"][value="${wanted}"]`).checked = true
  modeChanged()
}

// suggest puts a ready text behind what is written already, once; a person reads it before it goes.
function suggest(words) {
  const field = text()
  if (!field.value.includes(words)) field.value = [field.value.trimEnd(), words].filter(Boolean).join("\n\n")
  field.setSelectionRange(field.value.length, field.value.length)
  changed()
}

// Files

function attach() {
  return document.getElementById("attach")
}

function addFiles(files) {
  const all = new DataTransfer()
  for (const f of [...attach().files, ...files]) all.items.add(f)
  attach().files = all.files
  attached()
}

function removeFile(index) {
  const all = new DataTransfer()
  ;[...attach().files].forEach((f, i) => i !== index && all.items.add(f))
  attach().files = all.files
  attached()
  text().focus()
}

function attached() {
  const limit = Number(form().dataset.limitFile)
  const large = [...attach().files].find((f) => f.size > limit)
  if (large) {
    alertWith(say("toolarge", { name: large.name, max: limit / 1e6 }))
    removeFile([...attach().files].indexOf(large))
    return
  }
  const list = document.getElementById("files")
  list.replaceChildren(...[...attach().files].map(fileItem))
  list.hidden = attach().files.length === 0
}

function fileItem(file, index) {
  const item = document.createElement("li")
  const name = document.createElement("bdi")
  name.className = "clip"
  name.textContent = file.name
  const remove = document.createElement("button")
  remove.type = "button"
  remove.className = "icon-button icon-button-small"
  remove.dataset.removeFile = index
  remove.setAttribute("aria-label", say("remove", { name: file.name }))
  remove.textContent = "×"
  item.append(name, remove)
  return item
}

function startDrop() {
  const over = (e) => e.target.closest?.("#pane") && form() && [...e.dataTransfer.types].includes("Files")
  const box = () => form()?.querySelector(".composer-box")
  document.addEventListener("dragover", (e) => {
    if (!over(e)) return
    e.preventDefault()
    box().classList.add("is-dropping")
  })
  document.addEventListener("dragleave", (e) => {
    if (!e.relatedTarget) box()?.classList.remove("is-dropping")
  })
  document.addEventListener("drop", (e) => {
    box()?.classList.remove("is-dropping")
    if (!over(e)) return
    e.preventDefault()
    addFiles(e.dataTransfer.files)
  })
}
