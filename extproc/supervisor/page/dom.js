// Nodes from data. Ids and texts come from clients: here they become text, and nothing else.

export const $ = (id) => document.getElementById(id);

/** Return an element. Attributes are ours; children may be any texts. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Put a text into a node, unless it is there: what stays the same keeps its selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put `[text, state]` or a text into a node; the style sheet knows the states. */
export function setCell(node, value) {
  const [text, state = ""] = Array.isArray(value) ? value : [value];
  setText(node, text);
  if ((node.dataset.state ?? "") !== state) node.dataset.state = state;
}

/** Return a bar for a share from 0 to 1; the number stands beside it. */
export function bar(share) {
  const fill = el("span");
  fill.style.inlineSize = `${100 * Math.min(1, Math.max(0, share))}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/**
 * Return a function that shows items as children of `parent`, in their order.
 *
 * `make()` returns `{node, update}`. A row is made once for each key and updated from then on.
 * Rows are not moved while their order stays, so focus and what is open survive. A row for which
 * `stays(row)` holds is left where it is, although its item is gone. All rows are returned.
 */
export function list(parent, keyOf, make, stays = () => false) {
  const rows = new Map();
  return (items) => {
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    const left = new Set();
    for (const [key, row] of rows) {
      if (wanted.has(key)) continue;
      if (stays(row)) {
        left.add(row.node);
      } else {
        row.node.remove();
        rows.delete(key);
      }
    }
    const skip = (node) => {
      while (node && left.has(node)) node = node.nextElementSibling;
      return node;
    };
    let next = parent.querySelector(":scope > [data-row]");
    for (const [key, item] of wanted) {
      const row = rows.get(key) ?? make();
      if (rows.has(key)) next = skip(next);
      rows.set(key, row);
      row.node.dataset.row = "";
      row.update(item);
      if (row.node === next) next = next.nextElementSibling;
      else parent.insertBefore(row.node, next);
    }
    return [...rows.values()];
  };
}
