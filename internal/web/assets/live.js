// SPDX-License-Identifier: AGPL-3.0-or-later

import { say } from "./words.js"

// The server tells what changed, never what it looks like: the page fetches that part again.
// A hidden tab closes its stream, since browsers allow six per server, and looks at everything on return.

const listeners = []

// onChange calls f with the id of the conversation that changed, "" when anything may have.
export function onChange(f) {
  listeners.push(f)
}

const broadcasts = []

// onBroadcast calls f with the id of the broadcast that changed, "" when any may have.
export function onBroadcast(f) {
  broadcasts.push(f)
}

// What a page says of time ("ancora 21 h") is told anew every five minutes.
const agePage = 300000

let seen = false
const pending = new Set()

export function startLive() {
  if (!document.getElementById("live-source")) return // who reads no conversation hears of none
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()))
  addEventListener("pagehide", disconnect)
  addEventListener("pageshow", (e) => e.persisted && connect())
  addEventListener("online", () => {
    disconnect()
    connect()
  })
  addEventListener("offline", () => bar("offline"))
  document.addEventListener("htmx:sseError", () => bar(navigator.onLine ? "reconnecting" : "offline"))
  document.addEventListener("htmx:sseOpen", () => bar(""))
  document.addEventListener("sse:hello", () => {
    if (seen) tell("")
    seen = true
  })
  document.addEventListener("sse:refresh", () => tell(""))
  document.addEventListener("sse:conversation", (e) => tell(e.detail.data))
  document.addEventListener("sse:broadcast", (e) => broadcasts.forEach((f) => f(e.detail.data)))
  setInterval(() => document.hidden || tell(""), agePage)
  if (!document.hidden) connect()
}

function connect() {
  if (document.getElementById("live")) return
  const source = document.getElementById("live-source")
  document.body.append(source.content.cloneNode(true))
  htmx.process(document.getElementById("live"))
}

// Deleted by htmx, and not by the page, the element closes its stream at once.
function disconnect() {
  const live = document.getElementById("live")
  if (!live) return
  htmx.swap(live, "", { swapStyle: "delete" })
}

// tell gathers what changes within 50 ms, so that a burst of statuses is one request.
function tell(id) {
  if (pending.size === 0) setTimeout(flush, 50)
  pending.add(id)
}

function flush() {
  const ids = pending.has("") ? [""] : [...pending]
  pending.clear()
  for (const f of listeners) for (const id of ids) f(id)
  if (ids[0] === "") broadcasts.forEach((f) => f(""))
}

let slow = 0

// bar says what is wrong, after a second: a short break is nobody's trouble.
function bar(key) {
  const offline = document.getElementById("offline")
  clearTimeout(slow)
  if (!key) {
    offline.hidden = true
    return
  }
  slow = setTimeout(() => {
    offline.textContent = say(key)
    offline.hidden = false
  }, 1000)
}
