// Comforts only: every page works without this file.
"use strict";

// A form that was sent is not sent again by a second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

// Filters apply as soon as they are chosen.
document.querySelectorAll("form[data-live] select").forEach((select) => {
  select.addEventListener("change", () => select.form.requestSubmit());
});

// What a job does, as it does it; without this the page offers to be loaded again.
document.querySelectorAll("[data-events]").forEach((place) => {
  const events = new EventSource(place.dataset.events);
  const bar = place.querySelector("progress");
  const text = place.querySelector("[data-text]");
  events.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    text.textContent = told.text;
    if (told.total) { bar.max = told.total; bar.value = told.done; } else { bar.removeAttribute("value"); }
  });
  events.addEventListener("end", () => { events.close(); location.reload(); });
});

// A page on which work goes on shows how it goes, unless somebody is in one of its fields.
const again = async () => {
  const mark = document.querySelector("[data-again]");
  if (!mark) return;
  if (!document.hidden && !document.activeElement.closest("form, details, main a")) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer && answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("content").replaceChildren(...page.getElementById("content").childNodes);
    }
  }
  setTimeout(again, 1000 * mark.dataset.again);
};
setTimeout(again, 3000);

// Copy what stands beside the button.
document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = button.dataset.done;
  });
});
