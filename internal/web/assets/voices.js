// SPDX-License-Identifier: AGPL-3.0-or-later

import { say } from "./words.js"

// A voice message gets a player that fits a bubble; without script the browser's own stays.
export function startVoices() {
  prepare(document)
  document.addEventListener("htmx:load", (e) => prepare(e.detail.elt))
  document.addEventListener("htmx:oobAfterSwap", (e) => prepare(e.detail.target))
  document.addEventListener("click", (e) => {
    const button = e.target.closest(".voice-play")
    if (button) toggle(button.closest("[data-voice]"))
  })
  document.addEventListener("input", (e) => {
    if (!e.target.matches(".voice-seek")) return
    const audio = e.target.closest("[data-voice]").querySelector("audio")
    if (audio.duration) audio.currentTime = (e.target.value / 1000) * audio.duration
  })
  for (const event of ["play", "pause", "ended", "timeupdate", "loadedmetadata"]) {
    document.addEventListener(event, (e) => e.target.closest?.("[data-voice]") && show(e.target), true)
  }
}

function prepare(root) {
  for (const voice of root.querySelectorAll?.("[data-voice]:not(.is-ready)") || []) {
    voice.classList.add("is-ready")
    voice.querySelector("audio").controls = false
    for (const part of voice.querySelectorAll("[hidden]")) part.hidden = false
  }
}

function toggle(voice) {
  const audio = voice.querySelector("audio")
  for (const other of document.querySelectorAll("[data-voice] audio")) if (other !== audio) other.pause()
  if (audio.paused) audio.play().catch(() => {})
  else audio.pause()
}

function show(audio) {
  const voice = audio.closest("[data-voice]")
  const playing = !audio.paused && !audio.ended
  voice.classList.toggle("is-playing", playing)
  voice.querySelector(".voice-play").setAttribute("aria-label", say(playing ? "pause" : "play"))
  if (!Number.isFinite(audio.duration)) return
  voice.querySelector(".voice-seek").value = (audio.currentTime / audio.duration) * 1000
  voice.querySelector(".voice-time").textContent = clock(audio.currentTime || audio.duration)
}

function clock(seconds) {
  const s = Math.round(seconds)
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`
}
