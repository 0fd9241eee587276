// SPDX-License-Identifier: AGPL-3.0-or-later

import { onBroadcast } from "./live.js"
import { announce } from "./words.js"

// A broadcast of many thousands changes at every instant: what shows it asks again once a second at most,
// the list every two, and the banners every four.
export function startBroadcasts() {
  const one = throttled(1000, () => fetchAgain("broadcast"))
  const list = throttled(2000, () => fetchAgain("broadcasts"))
  const banners = throttled(4000, () => fetchAgain("banners"))
  onBroadcast((id) => {
    const shown = document.getElementById("broadcast")
    if (shown && (id === "" || id === shown.dataset.broadcast)) one()
    if (document.getElementById("broadcasts")) list()
    banners()
  })
  document.addEventListener("htmx:beforeSwap", remember)
  document.addEventListener("htmx:afterSwap", tellState)
  document.addEventListener("submit", onlyOnce)
  addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((f) => delete f.dataset.sent))
}

// throttled calls f at once, and after that at the end of each span in which it was asked for.
function throttled(span, f) {
  let waiting = false
  let asked = false
  const begin = () => {
    asked = false
    waiting = true
    f()
    setTimeout(() => {
      waiting = false
      if (asked) begin()
    }, span)
  }
  return () => {
    if (waiting) asked = true
    else begin()
  }
}

function fetchAgain(id) {
  const shown = document.getElementById(id)
  htmx.ajax("GET", shown.dataset.address, { source: shown, target: shown, swap: "morph:outerHTML" }).catch(() => {})
}

const stateOf = () => document.querySelector("#broadcast .cast-state")?.textContent

let before = ""

function remember(e) {
  if (e.detail.target.id === "broadcast") before = stateOf()
}

// tellState says a new state aloud; figures that change every second are read by who wants them.
function tellState(e) {
  const now = stateOf()
  if (e.detail.target.id === "broadcast" && now !== before) announce(now)
}

// onlyOnce keeps a second click from sending a form again while the answer is on its way.
function onlyOnce(e) {
  const form = e.target
  if (!("once" in form.dataset)) return
  if ("sent" in form.dataset) e.preventDefault()
  form.dataset.sent = ""
}
