// Keeps a page moving: takes fragments from its stream, says when the stream is lost, and reads the night out.
"use strict";
(() => {
  const body = document.body;
  const url = body.dataset.stream;
  if (!url) return;
  const RETRIES = [3, 6, 12, 24, 48, 60];
  const LOST_MS = 25000, LONG_MS = 300000, HIDDEN_MS = 60000;
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  const title = document.title;
  let position = body.dataset.position;
  let asOf = live.querySelector("time") ? live.querySelector("time").textContent : "";
  let heard = Date.now();
  let tries = 0;
  let reading = null;
  let stopped = false;
  let hiddenSince = 0;
  const waiting = new Map();

  // -- the stream -------------------------------------------------------------------------------------------------

  async function read() {
    const cut = new AbortController();
    reading = cut;
    try {
      const reply = await fetch(url + "&since=" + encodeURIComponent(position), {
        signal: cut.signal, cache: "no-store", headers: { "Last-Event-ID": position },
      });
      if (reply.status === 401 || reply.status === 403) return over("You are signed out.", "/sign-in?next=" +
        encodeURIComponent(location.pathname + location.search), "Sign in");
      if (!reply.ok || !reply.body) throw new Error(String(reply.status));
      await events(reply.body.getReader());
    } catch (error) {
      if (cut.signal.aborted) return;
    }
    reading = null;
    if (!stopped) setTimeout(() => reading || stopped || read(), RETRIES[Math.min(tries++, 5)] * 1000);
  }

  async function events(reader) {
    const text = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += text.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      blocks.forEach(one);
    }
  }

  function one(block) {
    const found = { event: "", data: [] };
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      const name = line.slice(0, colon), value = line.slice(colon + 2);
      if (name === "data") found.data.push(value);
      if (name === "event") found.event = value;
      if (name === "id") position = value;
    }
    const data = found.data.join("\n");
    if (found.event === "hello") hello(JSON.parse(data));
    if (found.event === "part") part(data);
    if (found.event === "say") say(JSON.parse(data));
    if (found.event === "beat") beat(JSON.parse(data));
  }

  function hello(told) {
    tries = 0;
    if (told.build !== body.dataset.build) over("The hub was upgraded.", location.href, "Reload");
  }

  function beat(told) {
    heard = Date.now();
    asOf = told.now;
    if (stopped) return;
    mark("● live " + asOf);
    live.classList.add("on");
    const link = document.getElementById("nav-incidents");
    if (link) link.textContent = "Incidents" + (told.incidents ? " (" + told.incidents + ")" : "");
    lost.hidden = true;
    body.classList.remove("stale");
    document.title = title;
  }

  function mark(text) {
    if (live.textContent !== text) live.textContent = text;
  }

  function say(told) {
    document.getElementById(told.alert ? "alert" : "say").textContent = told.text;
  }

  // -- a lost stream ----------------------------------------------------------------------------------------------

  function look() {
    const silent = Date.now() - heard;
    if (silent < LOST_MS || stopped || hiddenSince) return;
    const long = silent > LONG_MS;
    const next = long ? "Next: reload; if that fails, `busbar status` on the hub." : "Trying again.";
    warn("▲ Not live since " + asOf + ". What you see is from then. " + next, long);
    if (reading) { reading.abort(); reading = null; read(); }
  }

  function warn(text, long) {
    if (lost.textContent !== text) lost.textContent = text;
    lost.className = long ? "lost long" : "lost";
    lost.hidden = false;
    live.classList.remove("on");
    mark("as of " + asOf);
    body.classList.add("stale");
    document.title = "▲ " + title;
    for (const now of document.querySelectorAll(".nowtext")) {
      now.textContent = now.textContent.replace(/^now /, "as of ");
    }
  }

  function over(text, href, word) {
    stopped = true;
    if (reading) reading.abort();
    warn(text + " What you see is from " + asOf + ". ", false);
    const link = document.createElement("a");
    link.href = href;
    link.textContent = word;
    lost.append(link);
  }

  document.addEventListener("visibilitychange", () => {
    hiddenSince = document.hidden ? Date.now() : 0;
    if (!document.hidden && !reading && !stopped) { tries = 0; heard = Date.now(); read(); }
  });
  setInterval(() => {
    if (hiddenSince && reading && Date.now() - hiddenSince > HIDDEN_MS) { reading.abort(); reading = null; }
    look();
  }, 1000);

  // -- parts ------------------------------------------------------------------------------------------------------

  function part(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
    if (!fresh || !fresh.id) return;
    const old = document.getElementById(fresh.id);
    if (!old) return;
    if (selecting(old)) { waiting.set(fresh.id, html); return; }
    waiting.delete(fresh.id);
    const kept = remember(old);
    old.replaceWith(document.adoptNode(fresh));
    restore(fresh, kept);
    if (fresh.id === "part-night" || fresh.id === "part-night-table") readout();
  }

  function selecting(old) {
    const chosen = getSelection();
    return !!chosen && !chosen.isCollapsed && chosen.containsNode(old, true);
  }

  document.addEventListener("selectionchange", () => {
    const chosen = getSelection();
    if (waiting.size && chosen && chosen.isCollapsed) for (const html of [...waiting.values()]) part(html);
  });

  function path(element) {
    if (element.id) return "#" + CSS.escape(element.id);
    const href = element.getAttribute("href"), name = element.getAttribute("name");
    if (href) return "a[href=\"" + CSS.escape(href) + "\"]";
    return name ? element.localName + "[name=\"" + CSS.escape(name) + "\"]" : "";
  }

  function remember(old) {
    const at = document.activeElement;
    const inside = at && old.contains(at) ? at : null;
    const same = inside ? path(inside) : "";
    return {
      focus: same,
      nth: same ? [...old.querySelectorAll(same)].indexOf(inside) : 0,
      value: inside && "value" in inside ? inside.value : null,
      range: inside && inside.selectionStart !== undefined && inside.type !== "range"
        ? [inside.selectionStart, inside.selectionEnd] : null,
      open: [...old.querySelectorAll("details[id]")].filter((d) => d.open).map((d) => d.id),
    };
  }

  function restore(fresh, kept) {
    for (const id of kept.open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    const found = kept.focus ? fresh.querySelectorAll(kept.focus)[kept.nth] : null;
    if (!found) return;
    if (kept.value !== null) found.value = kept.value;
    found.focus({ preventScroll: true });
    if (kept.range && found.setSelectionRange) found.setSelectionRange(kept.range[0], kept.range[1]);
  }

  // -- the night, read out ----------------------------------------------------------------------------------------

  let chosen = null;

  function readout() {
    const plot = document.querySelector("#night .plot");
    const rows = [...document.querySelectorAll("#night-table tbody tr")];
    if (!plot || !rows.length) return;
    let line = document.getElementById("readout");
    if (!line) {
      line = document.createElement("div");
      line.id = "readout";
      line.className = "readout";
      const range = document.createElement("input");
      range.type = "range";
      range.id = "readout-at";
      range.setAttribute("aria-label", "Read the night at");
      range.addEventListener("input", () => tell(Number(range.value)));
      const told = document.createElement("output");
      told.htmlFor = "readout-at";
      line.append(told, range);
      document.getElementById("part-night").after(line);
    }
    const range = line.querySelector("input"), told = line.querySelector("output");
    range.max = String(rows.length - 1);
    function tell(number) {
      chosen = Math.min(number, rows.length - 1);
      const [limit, source, imported, kind, building, charging] =
        [...rows[chosen].querySelectorAll("td")].map((cell) => cell.textContent.trim());
      const at = rows[chosen].querySelector("th").textContent.trim();
      const text = `${at}: limit ${limit} ${source}, import ${imported} ${kind}, building ${building}, charging ${charging}`;
      told.textContent = text;
      range.value = String(chosen);
      range.setAttribute("aria-valuetext", text);
    }
    const svg = plot.querySelector("svg");
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      if (share >= 0 && share <= 1) tell(Math.floor(share * rows.length));
    };
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
    if (chosen === null) {
      const now = rows.findIndex((row) => row.textContent.includes("planned"));
      tell(now < 0 ? rows.length - 1 : now);
    } else tell(chosen);
  }

  readout();
  read();
})();
