"use strict";
(() => {
  const ASK_AFTER_MS = 200, SAY_AFTER_MS = 250, SLOW_AFTER_MS = 2500, GIVE_UP_AFTER_MS = 60000;
  const MAX_PROMPT_CHARACTERS = 100000;
  const SVG = "http://www.w3.org/2000/svg";
  const model = document.body.dataset.model;
  const readsSuffix = "readsSuffix" in document.body.dataset;
  const code = document.getElementById("code");
  const list = document.getElementById("candidates");
  const state = document.getElementById("state");
  const retry = document.getElementById("retry");
  let shown = [], chosen = 0, asked = null, timers = [], waiting = null;

  function say(kind, text) {
    state.dataset.state = kind;
    if (state.textContent !== text) state.textContent = text;
    retry.hidden = kind !== "error";
  }

  function clear() {
    shown = [];
    chosen = 0;
    list.classList.remove("stale");
    list.replaceChildren();
  }

  function growOld() {
    // What stands there belongs to another place: it is still seen, but not accepted here.
    shown = [];
    list.classList.add("stale");
    state.dataset.state = "pending";
    retry.hidden = true;
  }

  function stop() {
    clearTimeout(waiting);
    waiting = null;
    timers.forEach(clearTimeout);
    timers = [];
    if (asked) asked.abort();
    asked = null;
  }

  function percent(score) {
    const value = 100 * Math.exp(Math.min(0, score));
    if (value >= 99.95) return "100 %";
    if (value >= 0.1) return value.toFixed(1) + " %";
    return value >= 0.001 ? value.toFixed(3) + " %" : "< 0.001 %";
  }

  function bar(score) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "bar");
    svg.setAttribute("aria-hidden", "true");
    for (const [name, width] of [["whole", 100], ["part", 100 * Math.exp(Math.min(0, score))]]) {
      const part = document.createElementNS(SVG, "rect");
      part.setAttribute("class", name);
      part.setAttribute("width", width.toFixed(3) + "%");
      part.setAttribute("height", "100%");
      part.setAttribute("rx", "2");
      svg.append(part);
    }
    return svg;
  }

  function textOf(candidate) {
    const text = document.createElement("pre");
    text.textContent = candidate.text;
    if (!candidate.text.trim()) {
      const note = document.createElement("span");
      note.className = "unseen";
      note.textContent = candidate.text ? "(only spaces or line ends)" : "(nothing: it ends here)";
      text.replaceChildren(note);
    }
    return text;
  }

  function item(candidate, index) {
    const one = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const figures = document.createElement("span");
    figures.className = "figures";
    const score = document.createElement("span");
    score.className = "score";
    score.textContent = candidate.score.toFixed(2).replace("-", "\u2212") + " nats";
    const share = document.createElement("span");
    share.className = "percent";
    share.textContent = percent(candidate.score);
    figures.append(score, share);
    button.append(textOf(candidate), figures, bar(candidate.score));
    button.addEventListener("click", () => accept(index));
    one.append(button);
    return one;
  }

  function choose(index) {
    chosen = (index + shown.length) % shown.length;
    [...list.children].forEach((one, place) => {
      if (place === chosen) {
        one.setAttribute("aria-current", "true");
        one.scrollIntoView({block: "nearest"});
      } else one.removeAttribute("aria-current");
    });
  }

  function show(candidates) {
    clear();
    shown = candidates;
    if (!shown.length) {
      say("none", "The model has nothing to add here.");
      return;
    }
    list.replaceChildren(...shown.map(item));
    choose(0);
    say("ready", shown.length === 1 ? "1 candidate." : shown.length + " candidates.");
  }

  function accept(index) {
    // Gone in the moment of the click.
    if (!shown[index]) return;
    const text = shown[index].text;
    stop();
    clear();
    code.focus();
    // Keeps the browser's undo; where there is no such command, the text goes in all the same.
    if (text && !document.execCommand("insertText", false, text)) {
      code.setRangeText(text, code.selectionStart, code.selectionEnd, "end");
    }
    askSoon();
  }

  function prompt() {
    const before = code.value.slice(0, code.selectionStart);
    if (before.length <= MAX_PROMPT_CHARACTERS) return before;
    const start = before.length - MAX_PROMPT_CHARACTERS;
    const half = before.charCodeAt(start) >= 0xdc00 && before.charCodeAt(start) <= 0xdfff;
    return before.slice(start + (half ? 1 : 0));
  }

  function instance() {
    const found = {prompt: prompt()};
    if (readsSuffix) {
      const behind = code.value.slice(code.selectionEnd).slice(0, MAX_PROMPT_CHARACTERS);
      // Not half a character at the cut.
      found.suffix = behind.replace(/[\ud800-\udbff]$/, "");
    }
    return found;
  }

  async function answer(signal) {
    const response = await fetch("/v1/models/" + encodeURIComponent(model) + ":predict", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({instances: [instance()]}),
      signal,
    });
    let found;
    try {
      found = await response.json();
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error("the answer (" + response.status + ") is no JSON");
    }
    if (!response.ok) throw new Error(found.error || "status " + response.status);
    return found.predictions[0].candidates;
  }

  async function ask() {
    stop();
    if (!prompt()) {
      clear();
      say("empty", "Type some code.");
      return;
    }
    const mine = asked = new AbortController();
    growOld();
    let gaveUp = false;
    timers = [
      setTimeout(() => say("asking", "Asking the model \u2026"), SAY_AFTER_MS),
      setTimeout(() => say("slow", "Still waiting: the model is busy \u2026"), SLOW_AFTER_MS),
      setTimeout(() => { gaveUp = true; mine.abort(); }, GIVE_UP_AFTER_MS),
    ];
    try {
      const candidates = await answer(mine.signal);
      if (mine !== asked) return;
      stop();
      show(candidates);
    } catch (error) {
      if (mine !== asked) return;
      stop();
      clear();
      const unreachable = error instanceof TypeError ? "the server does not answer" : error.message;
      say("error", "No candidates: " + (gaveUp ? "it took more than a minute" : unreachable));
    }
  }

  function askSoon() {
    stop();
    growOld();
    waiting = setTimeout(ask, ASK_AFTER_MS);
  }

  function dismiss() {
    stop();
    clear();
    say("away", "Put away. Type, or press Ctrl+Space.");
  }

  code.addEventListener("input", askSoon);
  // Another place of the cursor is another prompt.
  let last = 0;
  document.addEventListener("selectionchange", () => {
    if (document.activeElement !== code || code.selectionStart === last) return;
    last = code.selectionStart;
    askSoon();
  });
  code.addEventListener("keydown", event => {
    const plain = !event.altKey && !event.ctrlKey && !event.metaKey;
    if (event.isComposing) return;
    if (event.key === "Tab" && plain && !event.shiftKey && (shown.length || asked || waiting)) {
      // While the model is asked, the key waits for nobody, but does not leave the field either.
      event.preventDefault();
      accept(chosen);
    } else if (event.altKey && shown.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      dismiss();
    } else if (event.ctrlKey && event.code === "Space") {
      event.preventDefault();
      ask();
    }
  });
  retry.addEventListener("click", () => { code.focus(); ask(); });
  code.focus();
})();
