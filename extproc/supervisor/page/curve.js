// The rate of the last minutes as a curve, beside the number that says it.

const LENGTH = 90;
const [WIDTH, HEIGHT] = [LENGTH, 32];
const points = [];

/** Add a rate to the curve in `svg`, where there is one. */
export function showCurve(svg, rate) {
  if (rate === null) return;
  points.push(rate);
  if (points.length > LENGTH) points.shift();
  const top = Math.max(1, ...points);
  const start = WIDTH - points.length + 1;
  const height = (value) => HEIGHT - (value / top) * (HEIGHT - 2);
  const line = points.map((value, place) => `${start + place},${height(value)}`);
  const [stroke, area] = svg.children;
  stroke.setAttribute("points", line.join(" "));
  area.setAttribute("points", [`${start},${HEIGHT}`, ...line, `${WIDTH},${HEIGHT}`].join(" "));
}
