// Everything but the decisions: how the stack stands, and what was counted.

import { $, el, list, setCell, setText } from "./dom.js";
import { count, duration, fine, percent, rate, time } from "./format.js";
import { Rates } from "./rates.js";
import { showCurve } from "./curve.js";

const rates = new Rates();
const showFacts = list($("facts"), (item) => item[0], makePair);
const showTraffic = list($("traffic"), (item) => item[0], makePair);
const showAgents = list($("agents"), (item) => item.key, () => makeRow(8));
const showListeners = list($("listeners"), (item) => item.name, () => makeRow(3));
const showFilters = list($("filters"), (item) => item.name, () => makeRow(3));

/** Show an answer of `GET /status`. */
export function showStatus(status) {
  rates.note(Date.parse(status.time), counters(status));
  setCell($("state"), [status.status, status.status]);
  showFacts(facts(status));
  showTraffic(traffic(status.requests));
  showCurve($("curve"), rates.of("requests"));
  showAgents(status.agents.flatMap(agentRows));
  showListeners(status.listeners.map(listenerRow));
  showFilters(status.filters.map(filterRow));
  $("no-filters").hidden = status.filters.length > 0;
  $("filters").closest(".scroll").hidden = !status.filters.length;
}

function counters(status) {
  const found = new Map([["requests", status.requests.total]]);
  for (const each of status.listeners) found.set(`listener ${each.name}`, each.requests);
  for (const agent of status.agents) {
    if (agent.requests !== null) found.set(`agent ${agent.id}`, agent.requests);
    for (const each of agent.variants) {
      if (each.requests !== null) found.set(`agent ${agent.id}/${each.id}`, each.requests);
    }
  }
  return found;
}

function facts({ generation, version, workers, envoy, last_reload: last }) {
  const ready = workers.filter((worker) => worker.status === "ready").length;
  const isWell = ready === workers.length;
  const each = ({ pid, status }) => (status === "ready" ? pid : `${pid ?? "–"} ${status}`);
  const reload = [`${last?.outcome} ${time(last?.time)}`, last?.outcome === "applied" ? "" : "bad"];
  return [
    ["Generation", count(generation)],
    ["Last reload", last ? reload : "none"],
    ["Workers", [`${ready}/${workers.length} ready`, isWell ? "" : "warn"], `pid ${workers.map(each).join(", ")}`],
    ["Envoy", ...gateway(envoy)],
    ["Version", version],
  ];
}

function gateway(envoy) {
  if (!envoy) return ["not ours"];
  return envoy.pid ? ["running", `pid ${envoy.pid}`] : [["down", "bad"]];
}

function traffic({ total, inflight, outcomes }) {
  return [
    ["Requests", count(total)],
    ["Per second", rate(rates.of("requests"))],
    ["In flight", count(inflight)],
    ["Routed", count(outcomes.routed)],
    ["Rejected", [count(outcomes.rejected), outcomes.rejected ? "warn" : ""]],
    ["Errors", [count(outcomes.error), outcomes.error ? "bad" : ""]],
    ["Cancelled", count(outcomes.cancelled)],
  ];
}

function agentRows(agent) {
  const weights = agent.variants.reduce((sum, each) => sum + each.weight, 0);
  const own = figures(agent, `agent ${agent.id}`);
  const row = { key: agent.id, name: agent.id, note: agent.hosts.join(" "),
    cells: [own[0], "", count(agent.decided), ...own.slice(1)] };
  const variants = agent.variants.map((each) => {
    const key = `${agent.id}/${each.id}`;
    const [health, ...others] = figures(each, `agent ${key}`);
    return { key, name: each.id, note: "", isPart: true,
      cells: [health, percent(each.weight, weights), "", ...others] };
  });
  return [row, ...variants];
}

function figures(each, name) {
  const errors = count(each.errors);
  const failed = [`${errors} (${percent(each.errors, each.requests)})`, "bad"];
  return [health(each), count(each.requests), rate(rates.of(name)),
    each.errors ? failed : errors, duration(each.p50_ms), duration(each.p95_ms)];
}

function health({ healthy, total }) {
  if (total === null) return "–";
  if (!healthy) return [`0/${total} down`, "bad dot"];
  return [`${healthy}/${total}`, healthy === total ? "good dot" : "warn dot"];
}

function listenerRow(listener) {
  const { name, url, agents, requests } = listener;
  const offered = agents.map((id) => (id === listener.default ? `${id} (default)` : id)).join(", ");
  const chains = [["before", listener.input_filters], ["after", listener.output_filters]];
  const more = chains.filter(([, ids]) => ids.length)
    .map(([where, ids]) => `${where}: ${ids.join(", ")}`);
  return { name, note: url ?? "", more: more.join("; "),
    cells: [offered, count(requests), rate(rates.of(`listener ${name}`))] };
}

function filterRow({ id, type, mode, on_error: failing, calls, outcomes, mean_ms: mean }) {
  const seen = Object.entries(outcomes).sort(([, a], [, b]) => b - a)
    .map(([outcome, times]) => `${outcome} ${count(times)}`);
  return { name: id, note: `${type}, ${mode}, on error ${failing}`,
    cells: [seen.join(", ") || "–", count(calls), fine(mean)] };
}

function makePair() {
  const [name, value, note] = [el("dt"), el("dd"), el("dd", { class: "muted" })];
  return { node: el("div", {}, name, value), update([title, text, more]) {
    setText(name, title);
    setCell(value, text);
    if (more) { setText(note, more); value.after(note); } else note.remove();
  } };
}

/** A row of a name with a note beneath it and of cells, the first of which may have `more`. */
function makeRow(size) {
  const [name, first] = [el("span", { class: "id" }), el("span")];
  const [note, more] = [el("span", { class: "note muted" }), el("span", { class: "note muted" })];
  const others = Array.from({ length: size - 1 }, () => el("td", { class: "number" }));
  const head = el("th", { scope: "row" }, name, note);
  const node = el("tr", {}, head, el("td", {}, first, more), ...others);
  return { node, update(row) {
    node.className = row.isPart ? "part" : "";
    setText(name, row.name);
    setText(note, row.note);
    setText(more, row.more ?? "");
    row.cells.forEach((cell, place) => setCell(place ? others[place - 1] : first, cell));
  } };
}
