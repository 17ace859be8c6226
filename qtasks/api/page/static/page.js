// Refreshes the parts of a page that change: asks for the page again and takes over what is different, in place, so
// that focus, scrolling and what is folded out stay as they are.
"use strict";

(() => {
  const main = document.getElementById("main");
  const first = Number(main.dataset.refresh || 0);
  const problem = document.getElementById("problem");
  if (problem) problem.focus();
  if (!first) return;

  const live = document.getElementById("live");
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  const LONGEST_SECONDS = 30;
  let seconds = first;
  let timer = 0;
  let paused = false;
  live.hidden = false;

  const words = () => {
    const spoken = main.querySelector("[data-say]");
    return spoken ? spoken.dataset.say : "";
  };
  const say = (text) => { said.textContent = text; };

  const keep = new Set(["open"]);
  function sync(here, there) {
    for (const { name } of [...here.attributes]) {
      if (!there.hasAttribute(name) && !keep.has(name)) here.removeAttribute(name);
    }
    for (const { name, value } of there.attributes) {
      if (here.getAttribute(name) !== value) here.setAttribute(name, value);
    }
  }
  function same(here, there) {
    return here.nodeType === there.nodeType && here.nodeName === there.nodeName && (here.id || "") === (there.id || "");
  }
  function morph(here, there) {
    if (here.nodeType !== Node.ELEMENT_NODE) {
      if (here.data !== there.data) here.data = there.data;
      return;
    }
    sync(here, there);
    if (here.isEqualNode(there)) return;
    const wanted = new Set([...there.children].map((child) => child.id).filter(Boolean));
    let next = here.firstChild;
    for (const child of [...there.childNodes]) {
      while (next && next.id && !wanted.has(next.id)) {
        const gone = next;
        next = next.nextSibling;
        gone.remove();
      }
      const known = child.id ? [...here.children].find((one) => one.id === child.id) : null;
      if (known && known !== next) here.insertBefore(known, next);
      const match = known || (next && same(next, child) ? next : null);
      if (match) {
        next = match.nextSibling;
        morph(match, child);
      } else {
        here.insertBefore(document.importNode(child, true), next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  // A form that somebody types into is left alone.
  function parts(page) {
    return [...page.children].filter((part) => part.id && part.tagName !== "FORM");
  }
  function take(page) {
    const there = new Map(parts(page).map((part) => [part.id, part]));
    for (const part of parts(main)) {
      if (there.has(part.id)) morph(part, there.get(part.id));
    }
  }

  async function look() {
    const before = words();
    let again = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", credentials: "same-origin" });
      if (answer.redirected && new URL(answer.url).pathname === "/login") {
        again = false;
        location.assign(answer.url);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      take(page);
      seconds = Number(page.dataset.refresh || 0);
      if (!seconds) {
        again = false;
        live.hidden = true;
      }
      if (words() !== before) say(words());
    } catch {
      // The server may be starting anew.
      if (seconds < 5) say("The page cannot be refreshed at the moment.");
      seconds = Math.min(Math.max(seconds, 2) * 2, LONGEST_SECONDS);
    } finally {
      if (again) plan();
    }
  }
  function plan() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(look, seconds * 1000);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    plan();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused && seconds) look();
    else clearTimeout(timer);
  });
  plan();
})();
