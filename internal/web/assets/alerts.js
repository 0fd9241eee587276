// SPDX-License-Identifier: AGPL-3.0-or-later

import { say } from "./words.js"

// Failures are told beside what the person was doing. The server sends its own sentence to #alerts;
// an answer of anybody else (a proxy's page, none at all) becomes ours and is never shown as it is.
export function startAlerts() {
  document.addEventListener("htmx:beforeSwap", (e) => {
    const { xhr } = e.detail
    if (xhr.status < 400) return
    e.detail.isError = false // it is told here, not in the console
    if (xhr.getResponseHeader("HX-Retarget")) {
      e.detail.shouldSwap = true
      return
    }
    e.detail.shouldSwap = false
    alertWith(say("failed"))
  })
  document.addEventListener("htmx:sendError", (e) => {
    if (e.detail.requestConfig.verb !== "get") alertWith(say("offline")) // the bar tells of the others
  })
  document.addEventListener("htmx:timeout", () => alertWith(say("failed")))
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-dismiss]")) e.target.closest(".alert-item").remove()
  })
}

export function alertWith(sentence) {
  const item = document.createElement("div")
  item.className = "alert-item"
  const text = document.createElement("p")
  text.textContent = sentence
  item.append(text)
  document.getElementById("alerts").replaceChildren(item)
  setTimeout(() => item.remove(), 8000)
}
