// SPDX-License-Identifier: AGPL-3.0-or-later

// A button beside an address copies it. Without a script the address can be selected all the same.
export function startCopies() {
  for (const button of document.querySelectorAll("[data-copies]")) button.hidden = false
  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-copies]")
    if (!button) return
    const field = document.getElementById(button.dataset.copies)
    field.select()
    try {
      await navigator.clipboard.writeText(field.value)
    } catch {
      document.execCommand("copy") // where the page is not served by https
    }
    button.textContent = button.dataset.done
    document.getElementById("status").textContent = button.dataset.done
  })
}
