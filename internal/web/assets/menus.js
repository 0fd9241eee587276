// SPDX-License-Identifier: AGPL-3.0-or-later

// Menus are <details>: one open at a time, closed by Escape, by leaving and by choosing.
export function startMenus() {
  document.addEventListener("click", (e) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      const chosen = e.target.closest(".menu-list button, .menu-list a")
      if (menu.contains(e.target) && !chosen) continue
      // What is chosen is about to be hidden: a dialog that it opens could not give the focus back to it.
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus()
      menu.open = false
    }
    const toggle = e.target.closest("[data-toggle]")
    if (toggle) showDrawer(document.getElementById(toggle.dataset.toggle), toggle.closest("details.menu")?.querySelector("summary") ?? toggle)
  })
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return
    const menu = document.querySelector("details.menu[open]")
    if (menu) {
      menu.open = false
      menu.querySelector("summary").focus()
      e.stopImmediatePropagation()
    }
  })
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-submit]")) e.target.form.requestSubmit()
  })
}

let opener = null

function showDrawer(drawer, toggle) {
  const shown = drawer.classList.toggle("is-shown")
  if (shown) {
    opener = toggle
    drawer.querySelector(".citizen-close")?.focus()
  } else {
    opener?.focus()
  }
}

// hideDrawer closes the citizen's drawer and tells whether it was open.
export function hideDrawer() {
  const drawer = document.querySelector(".citizen.is-shown")
  drawer?.classList.remove("is-shown")
  if (drawer) opener?.focus()
  return Boolean(drawer)
}
