// The demo's chat: texts, presses and pictures go to the emulated Bot API, what the bot says comes back. desk.js comes before it.
"use strict";

function chat() {
  const app = byId("app");
  const talk = byId("chat");
  const person = byId("person");
  const text = byId("text");
  const line = byId("line");
  const events = [];
  const pressed = new Map();

  const who = () => Number(person.value);
  const clock = new Intl.DateTimeFormat("vi-VN", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Ho_Chi_Minh" });

  async function act(path, body) {
    try {
      await post(path, { person: who(), ...body });
      return true;
    } catch (error) {
      line.textContent = error.message;
      return false;
    }
  }

  const say = (words) => act("/chat/messages", { text: words });

  function key(event, button) {
    const made = element("button", "key", button.label);
    made.type = "button";
    made.title = button.data;
    made.addEventListener("click", () => {
      made.classList.add("turning");
      act("/chat/presses", { message: event.message, data: button.data }).then((done) => {
        if (!done) made.classList.remove("turning");
      });
    });
    return made;
  }

  function keyboard(event) {
    const rows = event.buttons.map((row) => element("div", "keys", ...row.map((button) => key(event, button))));
    const made = element("div", "keyboard", ...rows);
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", "Nút bấm");
    return made;
  }

  function picture(event) {
    const made = element("img", "sent-picture");
    made.src = `/chat/pictures/${event.picture}`;
    made.alt = "Ảnh đã gửi";
    made.addEventListener("load", () => { talk.scrollTop = talk.scrollHeight; });
    made.addEventListener("error", () => { made.replaceWith("(ảnh không còn)"); });
    return made;
  }

  function stamp(event) {
    const at = element("time", "", clock.format(new Date(event.at)));
    at.dateTime = event.at;
    const told = [];
    if (event.kind === "reply") told.push(event.about ? time(event.milliseconds) : "tin báo");
    return element("small", "stamp", ...told.map((word) => `${word} · `), at);
  }

  function bubble(event) {
    const made = element("div", "bubble");
    if (event.picture) made.append(picture(event));
    if (event.kind === "number") made.append(element("span", "words", "Số điện thoại: "));
    if (event.text) made.append(element("span", "words", event.text));
    made.append(stamp(event));
    return made;
  }

  // A press says nothing in the chat; the button turns until the bot has noticed it.
  function press(event) {
    const buttons = talk.querySelectorAll(`[data-message="${event.message}"] .key`);
    const made = [...buttons].find((button) => button.title === event.text);
    if (!made) return;
    made.classList.add("turning");
    pressed.set(event.id, made);
  }

  function show(event) {
    if (event.person !== who()) return;
    byId("start").hidden = true;
    if (event.kind === "pressed") { press(event); return; }
    if (event.kind === "noticed") {
      const made = pressed.get(event.about);
      if (made) made.classList.replace("turning", "noticed");
      return;
    }
    const item = element("li", event.kind === "reply" ? "theirs" : "ours", bubble(event));
    item.dataset.message = event.message;
    if (event.buttons.length) item.append(keyboard(event));
    talk.append(item);
    talk.scrollTop = talk.scrollHeight;
  }

  function choose() {
    app.classList.remove("buzzing");
    talk.replaceChildren();
    pressed.clear();
    byId("start").hidden = false;
    events.forEach(show);
  }

  const stream = new EventSource("/chat/events");
  stream.onopen = () => { line.textContent = "trực tuyến"; };
  stream.onerror = () => { line.textContent = "mất kết nối"; };
  stream.onmessage = (message) => {
    const event = JSON.parse(message.data);
    events.push(event);
    show(event);
    if (unasked(event) && event.person === who() && Date.now() - Date.parse(event.at) < 5000) buzz(app);
  };

  app.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    if (text.value.trim() && (await say(text.value))) text.value = "";
    text.focus();
  });
  text.addEventListener("keydown", (typed) => {
    if (typed.key === "Enter" && !typed.shiftKey && !typed.isComposing) {
      typed.preventDefault();
      app.requestSubmit();
    }
  });
  byId("start").addEventListener("click", () => { say("/start"); text.focus(); });
  byId("share").addEventListener("click", () => act("/chat/numbers", {}));
  person.addEventListener("change", choose);

  const fill = (words) => { text.value = words; text.focus(); };
  for (const sample of document.querySelectorAll(".sample[data-text]")) {
    sample.addEventListener("click", () => fill(sample.dataset.text));
  }
  for (const choice of document.querySelectorAll(".say")) {
    choice.addEventListener("click", () => say(choice.dataset.text));
  }
  for (const photo of document.querySelectorAll(".photo")) {
    photo.addEventListener("click", () => act("/chat/receipts", { name: photo.dataset.name }));
  }

  byId("file").addEventListener("change", async (chosen) => {
    const file = chosen.target.files[0];
    chosen.target.value = "";
    if (!file) return;
    if (file.size > Number(app.dataset.largest)) { line.textContent = "ảnh quá lớn"; return; }
    const response = await fetch(`/chat/pictures/${who()}`, { method: "POST", headers: { "Content-Type": file.type }, body: file });
    if (!response.ok) line.textContent = await response.text();
  });

  choose();
  return fill;
}

desk(chat());
