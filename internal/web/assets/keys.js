// SPDX-License-Identifier: AGPL-3.0-or-later

import { write } from "./composer.js"
import { step } from "./list.js"
import { hideDrawer } from "./menus.js"

const acts = {
  j: () => step(1),
  k: () => step(-1),
  r: () => write("reply"),
  n: () => write("note"),
  t: () => act("take"),
  p: () => act("pass"),
  e: () => act("resolve"),
  i: () => act("kind"),
  "/": () => document.getElementById("search")?.focus(),
  "?": () => document.getElementById("help").showModal(),
}

// Single letters work outside of text fields only, and can be turned off (WCAG 2.1.4).
export function startKeys() {
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") {
      leave(e)
      return
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || e.repeat && !"jk".includes(e.key)) return
    if (!("singleKeys" in document.body.dataset) || document.querySelector("dialog[open]")) return
    if (e.target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable]")) return
    const wanted = acts[e.key]
    if (!wanted) return
    e.preventDefault()
    wanted()
  })
}

function act(name) {
  document.querySelector(`#thread-head [data-act="${name}"]`)?.click()
}

function leave(e) {
  if (hideDrawer()) return
  if (e.target.id === "text") document.getElementById("scroll").focus()
  else if (e.target.id === "search") e.target.blur()
}
