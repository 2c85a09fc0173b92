// Numbers and times as a person reads them. What is not known is a dash.

const DASH = "–";
const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const rounded = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

const known = (value, show) => (value === null || value === undefined ? DASH : show(value));

export const count = (value) => known(value, (n) => whole.format(n));

export const rate = (value) => known(value, (n) => (n < 100 ? tenths : whole).format(n));

export const share = (value) => known(value, (n) => n.toFixed(2));

export const percent = (part, all) => (all ? `${rounded.format((100 * part) / all)} %` : DASH);

export const time = (iso) => known(iso, (text) => clock.format(new Date(text)));

export const date = (iso) => known(iso, (text) => full.format(new Date(text)));

/** Milliseconds as Envoy has them: whole ones. */
export const duration = (ms) => known(ms, (n) =>
  (n < 10_000 ? `${whole.format(Math.round(n))} ms` : `${rounded.format(n / 1000)} s`));

/** Milliseconds of our own, which may be very few. */
export const fine = (ms) => known(ms, (n) => (n < 10 ? `${n.toFixed(2)} ms` : duration(n)));
