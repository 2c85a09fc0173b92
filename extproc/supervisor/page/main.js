// Asks the stack every two seconds, as long as somebody looks.

import { $, el, list, setText } from "./dom.js";
import { keepingPlace, showDecisions } from "./decisions.js";
import { count, time } from "./format.js";
import { showStatus } from "./overview.js";
import { showListeners } from "./try.js";

const INTERVAL = 2_000;
const PATIENCE = 5_000;
const DECISIONS = 200;

const text = el("p");
const errors = el("ul");
const showErrors = list(errors, (error) => error, () => {
  const node = el("li");
  return { node, update: (error) => setText(node, error) };
});
$("notice").append(text, errors);

let isPaused = false;
let timer = null;
let isAsking = false;
let last = null;
let lostAt = null;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function poll() {
  clearTimeout(timer);
  if (isAsking || isPaused || document.hidden) return;
  isAsking = true;
  try {
    const asked = Promise.all([ask("status"), ask(`decisions?limit=${DECISIONS}`)]);
    const answers = await asked.catch(() => null);
    if (answers) show(...answers);
    else lose();
  } finally {
    isAsking = false;
    timer = setTimeout(poll, INTERVAL);
  }
}

function show(status, decisions) {
  [last, lostAt] = [status, null];
  keepingPlace(() => {
    showStatus(status);
    showListeners(status.listeners);
    showDecisions(decisions);
  });
  tick();
  notify(...noticeOf(status));
}

function lose() {
  lostAt ??= new Date();
  $("state").dataset.state = "bad";
  setText($("state"), "no answer");
  const known = last ? ` What is shown is from ${time(last.time)}.` : "";
  notify("bad", `The stack does not answer since ${time(lostAt)}.${known}`);
}

function noticeOf({ status, generation, last_reload: reload }) {
  if (status === "draining") {
    return ["warn", "The stack is draining: what runs may end, new connections are refused."];
  }
  if (status === "starting") {
    return ["warn", "The stack is not ready: Envoy, or every worker, does not serve."];
  }
  if (reload?.outcome !== "rejected") return ["", ""];
  const [when, number] = [time(reload.time), count(generation)];
  const what = `The configuration of ${when} was not taken over: `
    + `generation ${number} stays in force.`;
  return ["bad", what, reload.errors];
}

function notify(state, message, reasons = []) {
  if ($("notice").dataset.state !== state) $("notice").dataset.state = state;
  setText(text, message);
  showErrors([...new Set(reasons)]);
}

function tick() {
  setText($("clock"), isPaused ? "paused" : `as of ${time(last?.time)}`);
}

$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  setText($("pause"), isPaused ? "Resume" : "Pause");
  tick();
  poll();
});
document.addEventListener("visibilitychange", poll);
poll();
