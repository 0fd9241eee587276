// SPDX-License-Identifier: AGPL-3.0-or-later

const words = JSON.parse(document.getElementById("words")?.textContent || "{}")

// say is a sentence from the server's language, with its {places} filled.
export function say(key, places = {}) {
  return (words[key] || "").replace(/\{(\w+)\}/g, (all, name) => places[name] ?? all)
}

// count says a number of things: "1 nuovo messaggio", "2 nuovi messaggi".
export function count(key, n) {
  return say(`${key}.${n === 1 ? "one" : "other"}`, { n })
}

// announce tells a screen reader, at most once in three seconds and without repeating itself.
let last = 0
export function announce(text) {
  const now = Date.now()
  if (now - last < 3000) return
  last = now
  document.getElementById("status").textContent = text
}
