// SPDX-License-Identifier: AGPL-3.0-or-later

import { onChange } from "./live.js"
import { announce, count } from "./words.js"

// New messages scroll only a reader who is at the bottom; others get a button that says how many.
let fresh = 0
let known = new Set()

const scroll = () => document.getElementById("scroll")
const thread = () => document.getElementById("thread")

export function startThread() {
  arrive()
  onChange((id) => {
    const open = thread()
    if (open && (id === "" || id === open.dataset.conversation)) refreshThread()
  })
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id === "pane") arrive()
  })
  document.addEventListener("htmx:configRequest", describe)
  document.addEventListener("htmx:oobBeforeSwap", (e) => {
    if (e.detail.target.id === "messages") remember()
  })
  document.addEventListener("htmx:oobAfterSwap", (e) => {
    if (e.detail.target.id === "messages") keepPlace()
  })
  document.addEventListener("scroll", (e) => {
    if (e.target.id === "scroll" && atBottom()) noted()
  }, true)
  document.addEventListener("load", (e) => {
    if (e.target.matches?.("#messages img") && wasAtBottom) toBottom()
  }, true)
  document.addEventListener("click", (e) => {
    if (e.target.closest("#jump")) toBottom("smooth")
    const jump = e.target.closest("[data-jump]")
    if (jump) {
      e.preventDefault()
      find(jump.dataset.jump)
    }
    if (e.target.closest("[data-copy]")) copy(e.target.closest(".bubble"))
  })
}

export function refreshThread() {
  htmx.ajax("GET", thread().dataset.address, { source: "#scroll", swap: "none" }).catch(() => {})
}

// Every request that brings the thread anew says what is shown of it, so that it comes back no shorter.
function describe(e) {
  const { path, parameters, elt, boosted } = e.detail
  const messages = document.getElementById("messages")
  if (boosted || !messages || !/\/(conversations|messages|citizens|media)\//.test(path)) return
  parameters.shown = messages.querySelectorAll(".bubble").length
  parameters.open = thread().dataset.conversation
  parameters.last = [...messages.querySelectorAll(".bubble-in")].at(-1)?.dataset.message ?? ""
  if (!elt.matches("[data-earlier]")) parameters.from = messages.dataset.first
  if (!document.hidden) parameters.seen = "1"
}

function arrive() {
  if (!scroll()) return
  fresh = 0
  known = ids()
  const wanted = location.hash.startsWith("#m-") && document.getElementById(location.hash.slice(1))
  if (wanted) find(wanted.dataset.message)
  else toBottom()
}

let wasAtBottom = true
let heightBefore = 0
let topBefore = 0
let firstBefore = ""

function remember() {
  const s = scroll()
  wasAtBottom = atBottom()
  heightBefore = s.scrollHeight
  topBefore = s.scrollTop
  firstBefore = document.getElementById("messages").dataset.first
}

function keepPlace() {
  const s = scroll()
  const now = ids()
  const added = [...now].filter((id) => !known.has(id))
  known = now
  if (document.getElementById("messages").dataset.first !== firstBefore) {
    s.scrollTop = topBefore + s.scrollHeight - heightBefore // earlier messages came above
    return
  }
  if (wasAtBottom) {
    toBottom()
    return
  }
  s.scrollTop = topBefore
  const theirs = added.filter((id) => document.getElementById(id).classList.contains("bubble-in"))
  if (theirs.length === 0) return
  fresh += theirs.length
  const jump = document.getElementById("jump")
  jump.querySelector("span").textContent = count("new", fresh)
  jump.hidden = false
  announce(count("new", fresh))
}

function ids() {
  return new Set([...document.querySelectorAll("#messages .bubble")].map((b) => b.id))
}

function atBottom() {
  const s = scroll()
  return s.scrollHeight - s.scrollTop - s.clientHeight < 48
}

export function toBottom(behavior = "instant") {
  const s = scroll()
  s.scrollTo({ top: s.scrollHeight, behavior })
  noted()
}

function noted() {
  fresh = 0
  wasAtBottom = true
  const jump = document.getElementById("jump")
  if (jump) jump.hidden = true
}

function find(id) {
  const bubble = document.getElementById(`m-${id}`)
  if (!bubble) return
  bubble.scrollIntoView({ block: "center", behavior: "smooth" })
  bubble.classList.remove("is-found")
  requestAnimationFrame(() => bubble.classList.add("is-found"))
  bubble.focus({ preventScroll: true })
}

function copy(bubble) {
  navigator.clipboard?.writeText(bubble.querySelector(".text")?.textContent || "")
}
