// SPDX-License-Identifier: AGPL-3.0-or-later

// Dialogs are <dialog>: the browser traps the focus and gives it back.
export function startDialogs() {
  const dialog = document.getElementById("dialog")
  const alerts = document.getElementById("alerts")
  const beneath = alerts.parentElement
  // All but an open dialog is inert, and failures told there would not be heard.
  document.addEventListener("htmx:beforeSwap", (e) => {
    if (e.detail.target === dialog && e.detail.shouldSwap) beneath.append(alerts)
  })
  document.addEventListener("htmx:afterSwap", (e) => {
    if (e.detail.target !== dialog) return
    if (dialog.firstElementChild && !dialog.open) dialog.showModal()
    dialog.append(alerts)
  })
  // The server says so when what the dialog asked for is done.
  document.addEventListener("desk:done", () => dialog.close())
  dialog.addEventListener("close", () => {
    beneath.append(alerts)
    dialog.replaceChildren()
  })
  document.addEventListener("click", (e) => {
    const open = e.target.closest("[data-open]")
    if (open) document.getElementById(open.dataset.open).showModal()
    const leave = e.target.closest("dialog [data-close]")
    if (leave) {
      e.preventDefault() // without a dialog around it, it is a link
      leave.closest("dialog").close()
    }
    if (e.target.matches("dialog")) e.target.close() // on its backdrop
  })
  document.addEventListener("input", (e) => {
    if (e.target.matches("[data-picks-other]")) pickOther(e.target)
    if (e.target.matches("[data-gap]")) fillPreview(e.target.form)
  })
  dialog.addEventListener("keydown", (e) => {
    if (e.target.matches("input, textarea, select") || e.ctrlKey || e.metaKey || e.altKey) return
    const wanted = [...dialog.querySelectorAll("[data-key]")].find((b) => b.dataset.key === e.key.toLowerCase())
    if (wanted) {
      e.preventDefault()
      wanted.click()
    }
  })
}

function pickOther(text) {
  const other = text.form.querySelector("[data-other]")
  if (text.value && other) other.checked = true
}

function fillPreview(form) {
  const body = form.querySelector("[data-body]")
  let text = body.dataset.body
  for (const input of form.querySelectorAll("[data-gap]")) {
    if (input.value) text = text.replaceAll(input.dataset.gap, () => input.value)
  }
  body.textContent = text
}
