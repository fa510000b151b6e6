// Files of a form in pieces by the tus protocol: what was stopped goes on, also after the page was closed, once the
// same files are chosen again. Without this file the form sends small ones whole.
"use strict";

const PIECE = 8 * 2 ** 20;
const AT_ONCE = 3;
const TRIES = 8;

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const textBase64 = (text) => base64(new TextEncoder().encode(text));
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

class Refused extends Error {}

async function ask(address, method, headers, body) {
  for (let tried = 0; ; tried++) {
    let answer = null;
    try {
      answer = await fetch(address, { method, headers: { "Tus-Resumable": "1.0.0", Accept: "application/json", ...headers }, body });
    } catch {
      answer = null; // the network is away
    }
    if (answer && answer.ok) return answer;
    if (answer && (answer.status === 409 || answer.status === 460) && method === "PATCH") return null; // ask for the offset
    if (answer && answer.status < 500) {
      const told = await answer.json().catch(() => ({}));
      throw new Refused(told.detail || told.title || answer.statusText);
    }
    if (tried === TRIES) throw new Refused(answer ? answer.statusText : "offline");
    await pause(Math.min(30, 2 ** tried));
  }
}

async function send(address, file, tell) {
  const name = textBase64(file.webkitRelativePath || file.name);
  const made = await ask(address, "POST", { "Upload-Length": String(file.size), "Upload-Metadata": `filename ${name}` });
  const place = new URL(made.headers.get("Location")).pathname;
  const offset = async () => Number((await ask(place, "HEAD", {})).headers.get("Upload-Offset"));
  let at = await offset();
  let strays = 0;
  while (at < file.size) {
    tell(at);
    const bytes = await file.slice(at, at + PIECE).arrayBuffer();
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(at) };
    if (crypto.subtle) headers["Upload-Checksum"] = `sha256 ${base64(await crypto.subtle.digest("SHA-256", bytes))}`;
    const answer = await ask(place, "PATCH", headers, bytes);
    if (answer) {
      at = Number(answer.headers.get("Upload-Offset"));
      strays = 0;
    } else {
      if (++strays > TRIES) throw new Refused("409");
      await pause(1);
      at = await offset();
    }
  }
  tell(file.size);
}

document.querySelectorAll("form[data-upload]").forEach((form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const files = [...form.querySelector("input[type=file]").files];
    const list = form.querySelector("[data-list]");
    const button = form.querySelector("button");
    if (!files.length || button.disabled) return;
    button.disabled = true;
    list.replaceChildren();
    let failed = 0;
    const rows = files.map((file) => {
      const row = document.createElement("li");
      const bar = document.createElement("progress");
      bar.max = file.size || 1;
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      row.append(file.name, " ", bar);
      list.append(row);
      return { file, row, bar };
    });
    const waiting = [...rows];
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { file, row, bar } = next;
        try {
          await send(form.dataset.upload, file, (at) => { bar.value = at; });
          bar.value = bar.max;
        } catch (error) {
          failed += 1;
          bar.remove();
          const said = document.createElement("strong");
          said.textContent = error instanceof Refused ? error.message : String(error);
          row.append(said);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (failed) button.disabled = false;
    else location.reload();
  });
});
