// How fast counters grow: from the differences between what was told in the last ten seconds.

const WINDOW = 10_500;

export class Rates {
  #samples = [];

  /** Note counters by name, as they were at `time` (milliseconds). */
  note(time, counters) {
    const last = this.#samples.at(-1);
    // Who counts has started again, and so do we.
    if (last && [...counters].some(([name, value]) => value < (last.counters.get(name) ?? 0))) {
      this.#samples = [];
    }
    this.#samples.push({ time, counters });
    this.#samples = this.#samples.filter((sample) => time - sample.time <= WINDOW);
  }

  /** Return the growth a second, or null as long as there is nothing to compare. */
  of(name) {
    const last = this.#samples.at(-1);
    const first = this.#samples.find((sample) => sample.counters.has(name));
    if (!last?.counters.has(name) || first === last) return null;
    const grown = last.counters.get(name) - first.counters.get(name);
    return (1000 * grown) / (last.time - first.time);
  }
}
