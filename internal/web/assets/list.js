// SPDX-License-Identifier: AGPL-3.0-or-later

import { onChange } from "./live.js"
import { announce, say } from "./words.js"

// The list never moves under a hand: while the pointer or the focus is in it, news waits behind a button.
let waiting = false

export function startList() {
  const list = document.getElementById("list")
  if (!list) return
  document.querySelector("#rows [aria-current]")?.scrollIntoView({ block: "nearest" })
  onChange(() => refreshList())
  document.addEventListener("pointerout", (e) => {
    if (waiting && !document.getElementById("list").contains(e.relatedTarget)) settle()
  })
  document.addEventListener("focusout", () => setTimeout(settle))
  document.addEventListener("click", (e) => {
    if (e.target.closest("#list-fresh")) fetchList()
    const link = e.target.closest("a[data-conversation]")
    if (link) markCurrent(link.dataset.conversation)
  })
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target.id === "pane") opened()
    countUnread()
  })
}

// countUnread keeps the figure in the tab's title true.
function countUnread() {
  const unread = document.querySelectorAll("#rows .is-unread").length
  const title = document.title.replace(/^\(\d+\) /, "")
  document.title = unread > 0 ? `(${unread}) ${title}` : title
}

export function refreshList() {
  if (!document.getElementById("list")) return
  if (busy()) {
    waiting = true
    document.getElementById("list-fresh").hidden = false
    announce(say("arrived"))
    return
  }
  fetchList()
}

function settle() {
  if (waiting && !busy()) fetchList()
}

function busy() {
  const list = document.getElementById("list")
  return list.matches(":hover") || list.contains(document.activeElement)
}

function fetchList() {
  waiting = false
  const list = document.getElementById("list")
  const rows = list.querySelectorAll(".row").length
  const selected = document.getElementById("thread")?.dataset.conversation || ""
  const address = new URL(list.dataset.address, location)
  address.searchParams.set("rows", rows)
  address.searchParams.set("selected", selected)
  htmx.ajax("GET", address.pathname + address.search, { source: list, target: list, swap: "morph:outerHTML" }).catch(() => {})
}

function markCurrent(id) {
  for (const link of document.querySelectorAll("a[data-conversation]")) {
    if (link.dataset.conversation === id) link.setAttribute("aria-current", "true")
    else link.removeAttribute("aria-current")
  }
}

// opened moves to the conversation just opened: on a small screen it is the whole page.
function opened() {
  const thread = document.getElementById("thread")
  document.getElementById("main").dataset.pane = thread ? "thread" : "list"
  if (!thread) return
  markCurrent(thread.dataset.conversation)
  document.getElementById("thread-title")?.focus({ preventScroll: true })
  const row = document.getElementById(`row-${thread.dataset.conversation}`)
  row?.classList.remove("is-unread")
  row?.querySelector(".count")?.remove()
}

// step moves the focus to the next (1) or previous (-1) conversation of the list.
export function step(by) {
  const links = [...document.querySelectorAll("#rows a[data-conversation]")]
  if (links.length === 0) return
  let at = links.indexOf(document.activeElement)
  if (at < 0) at = links.findIndex((l) => l.getAttribute("aria-current"))
  const next = links[Math.min(Math.max(at + by, 0), links.length - 1)]
  next.focus()
  next.scrollIntoView({ block: "nearest" })
}
