// SPDX-License-Identifier: AGPL-3.0-or-later

// What the desk does in the browser. Pages come from the server and work without it;
// it keeps them fresh and lets a person live by keyboard.

import { startAlerts } from "./alerts.js"
import { startBroadcasts } from "./broadcasts.js"
import { startCopies } from "./copy.js"
import { startComposer } from "./composer.js"
import { startDialogs } from "./dialogs.js"
import { startKeys } from "./keys.js"
import { startList } from "./list.js"
import { startLive } from "./live.js"
import { startMenus } from "./menus.js"
import { startThread } from "./thread.js"
import { startVoices } from "./voices.js"

if (document.body.classList.contains("desk")) {
  Idiomorph.defaults.ignoreActiveValue = true
  // What a person has opened stays open.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.matches("details"))
  startAlerts()
  startMenus()
  startDialogs()
  startComposer()
  startCopies()
  startThread()
  startVoices()
  startList()
  startKeys()
  startBroadcasts()
  startLive()
  // On a phone the settings are one row, and the page they belong to may lie beyond its edge.
  document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" })
}
