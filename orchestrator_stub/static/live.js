// SPDX-License-Identifier: Apache-2.0
// Live parts: an element with data-live names a stream; what comes replaces the elements with the
// same ids. Without this script every page works, and a plain reload shows the same.
"use strict";

function replace(id, html) {
  const before = document.getElementById(id);
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const after = holder.content.firstElementChild;
  if (!before || !after || before.isEqualNode(after)) return;
  if (before.hasAttribute("aria-live")) {
    // a screen reader speaks only what changes within a region that stays
    if (before.textContent !== after.textContent) before.textContent = after.textContent;
    return;
  }
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  if (focused?.matches("select, textarea, input:not([type=checkbox])")) return; // somebody types
  const place = focused && pathTo(before, focused);
  const ticked = [...before.querySelectorAll("input:checked")].map((input) => input.value);
  const typed = new Map([...before.querySelectorAll("input:is(:not([type]), [type=text])")].map((input) => [input.name, input.value]));
  const opened = [...before.querySelectorAll("details")].map((part) => part.open);
  before.replaceWith(after);
  for (const input of after.querySelectorAll("input[type=checkbox]")) input.checked = ticked.includes(input.value);
  for (const input of after.querySelectorAll("input:is(:not([type]), [type=text])")) input.value = typed.get(input.name) ?? input.value;
  after.querySelectorAll("details").forEach((part, at) => { part.open = opened[at] ?? part.open; });
  place?.reduce((node, at) => node?.children[at], after)?.focus();
}

function pathTo(root, node) {
  const path = [];
  for (let one = node; one !== root; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

function follow(address) {
  let stream = null;
  let over = false;
  const close = () => { stream?.close(); stream = null; };
  const open = () => {
    if (stream || over || document.hidden) return;
    stream = new EventSource(address);
    stream.onmessage = (event) => Object.entries(JSON.parse(event.data)).forEach(([id, html]) => replace(id, html));
    stream.addEventListener("over", () => { over = true; close(); });
  };
  // a browser has few connections for one server: a page that nobody looks at keeps none
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

for (const part of document.querySelectorAll("[data-live]")) follow(part.dataset.live);

// one tick for all rows of a table
for (const head of document.querySelectorAll("thead th.tick")) {
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Tick every host on this page");
  head.replaceChildren(all);
  const boxes = () => head.closest("table").querySelectorAll("tbody .tick input");
  all.addEventListener("change", () => boxes().forEach((box) => { box.checked = all.checked; }));
}

// a form is sent once, and says that it is on its way
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.getAttribute("method") !== "post") return;
  form.dataset.sent = "yes";
  const busy = event.submitter?.dataset.busy;
  if (busy) event.submitter.textContent = busy;
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));

// menus close as menus do
const menus = () => document.querySelectorAll("details.menu[open]");
addEventListener("click", (event) => menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  menus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
});
