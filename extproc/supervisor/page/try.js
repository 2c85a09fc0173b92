// A text to try: which agent would get it, and why.

import { $, el, list, setCell } from "./dom.js";
import { fine, share } from "./format.js";
import { factList, scoreTable } from "./parts.js";

const PATIENCE = 30_000;
const showOptions = list($("try-listener"), (name) => name, () => {
  const node = el("option");
  return { node, update: (name) => { node.textContent = name; node.value = name; } };
});

/** Offer the listeners of an answer of `GET /status`. */
export function showListeners(listeners) {
  showOptions(listeners.map((each) => each.name));
  $("try-listeners").hidden = listeners.length < 2;
}

$("try").addEventListener("submit", async (event) => {
  event.preventDefault();
  setCell($("try-answer"), "Deciding …");
  $("try-details").replaceChildren();
  try {
    showAnswer(await decide($("try-text").value, $("try-listener").value));
  } catch (error) {
    setCell($("try-answer"), [error.message, "bad"]);
  }
});

$("try-text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("try").requestSubmit();
});

async function decide(text, listener) {
  const answer = await fetch("route", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text, listener }),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch(() => {
    throw new Error("The stack does not answer.");
  });
  const decided = await answer.json();
  if (!answer.ok) throw new Error(decided.error);
  return decided;
}

function showAnswer(decision) {
  setCell($("try-answer"), [decision.plan.join(" → "), "plan"]);
  const facts = factList([
    ["Source", decision.source], ["Why", decision.reason || "–"],
    ["Confidence", share(decision.confidence)], ["Decided in", fine(decision.ms)],
  ]);
  $("try-details").replaceChildren(facts, scoreTable(decision, decision.matched));
}
