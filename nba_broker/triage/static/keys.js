// The page's keys, and a note when the log has grown. Everything else works without scripts.
"use strict";

(() => {
  const follow = (selector) => {
    const link = document.querySelector(selector);
    if (link) link.click();
    return Boolean(link);
  };

  const step = (by) => {
    const rows = [...document.querySelectorAll("a.row")];
    if (!rows.length) return follow(by > 0 ? "a[rel=next]" : "a[rel=prev]");
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
    const row = rows[Math.max(0, Math.min(rows.length - 1, next))];
    row.focus();
    row.scrollIntoView({ block: "nearest" });
    return true;
  };

  const enter = (form, otherwise) => {
    const field = document.querySelector(`form#${form} input:not([type=hidden])`);
    if (!field) return otherwise ? follow(otherwise) : false;
    field.focus();
    field.scrollIntoView({ block: "center" });
    return true;
  };

  const keys = {
    "/": () => {
      const field = document.getElementById("q");
      if (field) field.select();
      else follow("a[rel=up]");
      return true;
    },
    j: () => step(1),
    k: () => step(-1),
    n: () => enter("label", "a[rel=next]"),
    p: () => follow("a[rel=prev]"),
    c: () => enter("confirm"),
    i: () => enter("ignore"),
    u: () => follow("a[rel=up]"),
    r: () => (location.reload(), true),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (act && act()) event.preventDefault();
  });

  for (const select of document.querySelectorAll("form.filters select"))
    select.addEventListener("change", () => select.form.requestSubmit());

  const pulse = document.getElementById("pulse");
  if (pulse)
    setInterval(async () => {
      if (document.hidden || document.getElementById("newer")) return;
      try {
        const response = await fetch("/pulse");
        if (response.ok && (await response.text()) !== pulse.dataset.lines) {
          const link = document.createElement("a");
          link.id = "newer";
          link.href = location.href;
          link.textContent = "new lines: reload";
          pulse.prepend(link);
        }
      } catch {
        // The page was stopped; the next reload shows that.
      }
    }, 15000);
})();
