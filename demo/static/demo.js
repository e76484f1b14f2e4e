// The demo's telephone: sends texts, follows what the telephones get. desk.js comes before it.
"use strict";

const size = (event) => `${event.segments} × ${event.alphabet}`;

function handset() {
  const talk = byId("talk");
  const number = byId("number");
  const text = byId("text");
  const events = [];
  const sent = new Map();

  function bubble(event) {
    const meta = [size(event)];
    if (event.kind === "reply" && event.milliseconds !== null) meta.push(time(event.milliseconds));
    if (unasked(event)) meta.push("tin báo");
    const item = element("li", event.kind === "reply" ? "theirs" : "ours");
    const about = element("small", "meta", meta.join(" · "));
    item.append(element("span", "words", event.text), about);
    if (event.kind === "sent") sent.set(event.id, about);
    return item;
  }

  function show(event) {
    if (event.number !== number.value) return;
    if (event.kind === "taken" || event.kind === "refused") {
      const about = sent.get(event.about);
      if (about) about.append(event.kind === "taken" ? ` · ✓ ${time(event.milliseconds)}` : " · ✗");
      return;
    }
    talk.append(bubble(event));
    talk.scrollTop = talk.scrollHeight;
    if (event.kind === "reply") {
      byId("segments").textContent = event.segments;
      byId("alphabet").textContent = event.alphabet;
      byId("elapsed").textContent = time(event.milliseconds) || "–";
    }
  }

  function choose() {
    byId("own-number").textContent = `+${number.value}`;
    for (const id of ["segments", "alphabet", "elapsed"]) byId(id).textContent = "–";
    talk.replaceChildren();
    sent.clear();
    events.forEach(show);
  }

  const stream = new EventSource("/events");
  stream.onopen = () => { byId("line").textContent = "có sóng"; };
  stream.onerror = () => { byId("line").textContent = "mất sóng"; };
  stream.onmessage = (message) => {
    const event = JSON.parse(message.data);
    events.push(event);
    show(event);
    if (unasked(event) && event.number === number.value && Date.now() - Date.parse(event.at) < 5000) buzz(byId("phone"));
  };

  byId("phone").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    try {
      await post("/messages", { number: number.value, text: text.value });
      text.value = "";
    } catch (error) {
      byId("line").textContent = error.message;
    }
    text.focus();
  });
  text.addEventListener("keydown", (key) => {
    if (key.key === "Enter" && !key.shiftKey && !key.isComposing) {
      key.preventDefault();
      byId("phone").requestSubmit();
    }
  });
  byId("clear").addEventListener("click", () => { text.value = ""; text.focus(); });
  number.addEventListener("change", choose);
  const fill = (words) => { text.value = words; text.focus(); };
  for (const sample of document.querySelectorAll(".sample")) {
    sample.addEventListener("click", () => fill(sample.dataset.text));
  }
  choose();
  return fill;
}

desk(byId("phone") ? handset() : null);
