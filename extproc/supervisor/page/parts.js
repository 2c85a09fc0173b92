// Parts that are made anew whenever what they show has changed.

import { bar, el } from "./dom.js";
import { share } from "./format.js";

const MOST = 10;

/** Return a list of names and values. */
export function factList(facts) {
  const pairs = facts.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  return el("dl", { class: "facts" }, ...pairs);
}

/** Return a table; the first cell of each row names it. Cells are texts or nodes. */
export function table(caption, titles, rows) {
  const head = titles.map((title) => el("th", { scope: "col" }, title));
  const body = rows.map(([name, ...cells]) =>
    el("tr", {}, el("th", { scope: "row", class: "id" }, name),
      ...cells.map((cell) => el("td", {}, cell))));
  return el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
}

/** Return a number from 0 to 1 with its bar. */
export function measure(value) {
  const node = el("span", { class: "measure" }, share(value));
  if (value !== null) node.append(bar(value));
  return node;
}

/** Return the best scores, with the words that matched where `matched` has them. */
export function scoreTable(decision, matched = null) {
  const scores = Object.entries(decision.scores).sort(([, a], [, b]) => b - a);
  if (!scores.length) return el("p", { class: "muted" }, "No scores: no strategy was asked.");
  const rest = scores.length - MOST;
  const caption = rest > 0 ? `Scores, and ${rest} more that are lower` : "Scores";
  const titles = matched ? ["Agent", "Score", "Words that matched"] : ["Agent", "Score"];
  // An agent may be called "constructor".
  const words = (agent) => (Object.hasOwn(matched, agent) ? matched[agent].join(", ") : "");
  const rows = scores.slice(0, MOST).map(([agent, score]) =>
    [agent, measure(score), ...(matched ? [words(agent)] : [])]);
  const made = table(caption, titles, rows);
  made.classList.add("scores");
  for (const [place, row] of [...made.tBodies[0].rows].entries()) {
    if (!decision.plan.includes(scores[place][0])) continue;
    row.className = "chosen";
    row.cells[0].append(el("span", { class: "quiet" }, " (in the plan)"));
  }
  return made;
}
