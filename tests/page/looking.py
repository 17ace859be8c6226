"""What a page must be for everybody: checks that run inside of a browser. A list of what is wrong comes back."""

from __future__ import annotations

from typing import Any

_CHECKS = """() => {
  const wrong = [];
  const shown = (one) => {
    const box = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    return box.width > 1 && box.height > 1 && style.visibility !== "hidden" && style.display !== "none";
  };
  const named = (one) => one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby");
  const where = (one) => `${one.tagName.toLowerCase()}#${one.id} "${(one.textContent || "").trim().slice(0, 30)}"`;

  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  for (const landmark of ["header", "main", "footer"]) {
    if (document.querySelectorAll(`body > ${landmark}`).length !== 1) wrong.push(`not one ${landmark}`);
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) wrong.push(`${where(heading)} skips a level`);
    level = own;
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push(`id ${id} twice`);
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!named(one)) wrong.push(`${where(one)} has no label`);
  }
  for (const one of document.querySelectorAll("a, button")) {
    if (!one.textContent.trim() && !named(one)) wrong.push(`${where(one)} has no name`);
  }
  for (const name of ["aria-labelledby", "aria-describedby"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      for (const id of one.getAttribute(name).split(/\\s+/)) {
        if (!document.getElementById(id)) wrong.push(`${where(one)} is ${name} ${id}, which is not there`);
      }
    }
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption) wrong.push("a table without a caption");
    for (const cell of table.querySelectorAll("th")) if (!cell.scope) wrong.push(`${where(cell)} has no scope`);
  }
  for (const one of document.querySelectorAll("svg")) {
    const hidden = one.closest("[aria-hidden=true]");
    if (!hidden && !(one.getAttribute("role") === "img" && named(one))) wrong.push("a picture without a name");
  }
  for (const one of document.querySelectorAll(".scroll, pre")) {
    if (one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0) wrong.push(`${where(one)} scrolls without a key`);
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push("wider than the window");

  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return { rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1 };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found.rgb;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    const silent = one.closest(".hidden, .glyph, .skip, noscript, script");
    if (!walk.currentNode.data.trim() || silent || !shown(one)) continue;
    const style = getComputedStyle(one);
    const svg = one.closest("svg");
    const [a, b] = [light(parse(svg ? style.fill : style.color).rgb), light(ground(svg ? svg.parentElement : one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${where(one)} has a contrast of ${ratio.toFixed(2)}`);
  }
  return [...new Set(wrong)];
}"""


def problems(page: Any) -> list[str]:
    """Missing names and labels, tables without scopes, ids that are there twice, text of too little contrast (WCAG AA),
    a page that is wider than its window."""
    found: list[str] = page.evaluate(_CHECKS)
    return found
