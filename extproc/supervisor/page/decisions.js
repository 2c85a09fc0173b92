// The last decisions: rows that open, and a box to find some of them.

import { $, el, list, setCell, setText } from "./dom.js";
import { count, date, fine, time } from "./format.js";
import { factList, measure, scoreTable, table } from "./parts.js";

// Who reads a decision goes on reading it when many newer ones have come.
const isRead = (row) => row.isOpen() || row.node.contains(document.activeElement);
const show = list($("decision-table"), (item) => item.key, makeRow, isRead);
let rows = [];
let made = 0;

export function showDecisions(decisions) {
  rows = show(withKeys(decisions));
  find();
}

/** Do `update`, and leave what somebody reads where it is on the screen. */
export function keepingPlace(update) {
  const place = (row) => row.node.getBoundingClientRect();
  const onScreen = rows.filter((row) => place(row).bottom > 0 && place(row).top < innerHeight);
  const isBelow = scrollY > 0 && $("decision-table").getBoundingClientRect().top < 0;
  const row = onScreen.find((each) => each.isOpen()) ?? (isBelow ? onScreen[0] : null);
  const before = row && place(row).top;
  update();
  if (row?.node.isConnected) scrollBy(0, place(row).top - before);
}

function find() {
  const wanted = $("find").value.trim().toLowerCase();
  for (const row of rows) row.node.hidden = !row.has(wanted);
  const found = rows.filter((row) => !row.node.hidden).length;
  setText($("decisions-count"), wanted ? `${count(found)} of ${count(rows.length)}` : count(found));
  const nothing = "No decisions yet: send a request to a listener.";
  setText($("no-decisions"), rows.length ? "No decision matches." : nothing);
  $("no-decisions").hidden = found > 0;
}

$("find").addEventListener("input", find);

/** Clients choose request ids, and may choose the same one again. */
function withKeys(decisions) {
  const seen = new Map();
  return decisions.toReversed().map((decision) => {
    const id = JSON.stringify([decision.time, decision.request_id, decision.listener]);
    seen.set(id, (seen.get(id) ?? 0) + 1);
    return { ...decision, key: `${id} ${seen.get(id)}` };
  }).reverse();
}

function makeRow() {
  const id = `decision-${++made}`;
  const when = el("span");
  const button = el("button",
    { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id },
    el("span", { class: "quiet" }, "Decision of "), when);
  const kinds = ["id", "", "", "number", "id request"];
  const cells = kinds.map((kind) => el("td", { class: kind }));
  const inside = el("td", { colspan: "6" });
  const details = el("tr", { id, class: "details", hidden: "" }, inside);
  const head = el("tr", { class: "decision" }, el("td", {}, button), ...cells);
  let told = "";
  let item;
  const fill = () => !details.hidden && inside.replaceChildren(detail(item));
  button.addEventListener("click", () => {
    details.hidden = !details.hidden;
    button.setAttribute("aria-expanded", String(!details.hidden));
    fill();
  });
  return {
    node: el("tbody", {}, head, details),
    isOpen: () => !details.hidden,
    has: (wanted) =>
      [item.request_id, ...item.plan].some((text) => text.toLowerCase().includes(wanted)),
    update(decision) {
      const text = JSON.stringify(decision);
      // Filters of the answer are told later.
      if (text === told) return;
      [told, item] = [text, decision];
      setText(when, time(decision.time));
      showSummary(cells, decision);
      fill();
    },
  };
}

function showSummary([plan, source, confidence, took, requestId], decision) {
  const agents = decision.plan.join(" → ");
  const isRouted = decision.outcome === "routed";
  const failed = [[agents, decision.outcome].filter(Boolean).join(" · "), "bad"];
  setCell(plan, isRouted ? agents : failed);
  setText(source, decision.source ?? "–");
  confidence.replaceChildren(measure(decision.confidence));
  setText(took, fine(decision.ms));
  setText(requestId, decision.request_id);
}

function detail(decision) {
  const remembered = { true: "yes", false: "no", null: "–" };
  const parts = [
    factList([
      ["Request id", decision.request_id], ["Time", date(decision.time)],
      ["Listener", decision.listener], ["Outcome", decision.outcome],
      ["Remembered", remembered[decision.cached]],
    ]),
    scoreTable(decision),
  ];
  if (decision.filters.length) parts.push(filterTable(decision.filters));
  if (decision.steps.length) parts.push(stepTable(decision.steps));
  return el("div", { class: "parts" }, ...parts);
}

function filterTable(filters) {
  return table("Filters", ["Filter", "Phase", "Outcome", "Note", "Time"],
    filters.map(({ filter, phase, agent, outcome, note, ms }) =>
      [filter, agent ? `${phase} of ${agent}` : phase, outcome, note, fine(ms)]));
}

function stepTable(steps) {
  return table("Steps before the last agent", ["Agent", "Outcome", "Status", "Time"],
    steps.map(({ agent, outcome, status, ms }) => [agent, outcome, `${status ?? "–"}`, fine(ms)]));
}
