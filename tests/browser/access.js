(() => {
  // Checks of a page for those who see little or nothing of it. Each returns what is wrong.

  const seen = (node) => node.checkVisibility({ visibilityProperty: true })
    && !node.closest(".quiet") && node.getBoundingClientRect().width > 1;
  const describe = (node) =>
    `${node.tagName} ${node.id || node.className}: ${node.textContent.trim().slice(0, 40)}`;

  const channels = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };

  /** The colour behind a node: of the first that is not transparent. */
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const { rgb, a } = channels(getComputedStyle(each).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };

  // https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };

  const own = (node) =>
    [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());

  /** Texts whose contrast is below `least`. */
  const faint = (least) => [...document.body.querySelectorAll("*")]
    .filter((node) => seen(node) && (own(node) || node.matches("input, select, textarea")))
    .map((node) => [node, contrast(channels(getComputedStyle(node).color).rgb, behind(node))])
    .filter(([, ratio]) => ratio < least)
    .map(([node, ratio]) => `${ratio.toFixed(2)} ${describe(node)}`);

  /** Controls without a label, tables without a caption, headings out of order, ids used twice. */
  const nameless = () => {
    const wrong = [];
    for (const node of document.querySelectorAll("input, select, textarea")) {
      if (!node.labels.length) wrong.push(`no label: ${describe(node)}`);
    }
    for (const node of document.querySelectorAll("button, a[href], summary")) {
      if (!node.textContent.trim()) wrong.push(`no name: ${describe(node)}`);
    }
    for (const node of document.querySelectorAll("table")) {
      if (!node.caption?.textContent.trim()) wrong.push(`no caption: ${describe(node)}`);
    }
    for (const node of document.querySelectorAll("th")) {
      if (!node.scope) wrong.push(`no scope: ${describe(node)}`);
    }
    for (const node of document.querySelectorAll("[tabindex='0']")) {
      if (!node.getAttribute("aria-label")) wrong.push(`no name: ${describe(node)}`);
    }
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
      for (const node of document.querySelectorAll(`[${name}]`)) {
        if (!document.getElementById(node.getAttribute(name))) wrong.push(`${name}: ${describe(node)}`);
      }
    }
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    wrong.push(...ids.filter((id, place) => ids.indexOf(id) !== place).map((id) => `twice: ${id}`));
    return wrong;
  };

  /** What reaches beyond the right edge, unless it scrolls within its own box. */
  const beyond = (width) => [...document.body.querySelectorAll("*")]
    .filter((node) => seen(node) && !node.closest(".scroll") && !node.closest(".skip"))
    .filter((node) => node.getBoundingClientRect().right > width + 0.5)
    .map(describe);

  return { faint, nameless, beyond };
})()
