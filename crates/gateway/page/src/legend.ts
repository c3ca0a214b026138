/** The legend: what the colours and strokes mean, and how many links are so now. */

import { byId, element } from "./dom.js";
import { PALETTES } from "./palette.js";
import type { Theme } from "./palette.js";
import type { Speech } from "./speech.js";

const LETTERS = ["–", "A", "B", "C", "D", "E", "F"] as const;

export function letterOf(level: number): string {
  return LETTERS[level] ?? "–";
}

/** A level's letter on its own colour. */
export function badge(level: number, theme: Theme): HTMLElement {
  const node = element("span", { class: "badge" }, letterOf(level));
  node.style.setProperty("--level", PALETTES[theme].levels[level] ?? PALETTES[theme].levels[0]);
  return node;
}

const legend = byId("legend");
let counts: HTMLElement[] = [];

export function drawLegend(theme: Theme, speech: Speech): void {
  const { words } = speech;
  counts = LETTERS.map(() => element("span", { class: "count" }));
  const rows = [1, 2, 3, 4, 5, 6, 0].map((level) =>
    element("li", {}, badge(level, theme), element("span", {}, words.levels[level]!), counts[level]),
  );
  legend.replaceChildren(
    element("h2", {}, words.legend),
    element("p", { class: "note" }, words.legendNote),
    element("ul", { class: "levels" }, ...rows),
    element("ul", { class: "strokes" }, stroke("measured", words.measured), stroke("estimated", words.estimated), stroke("stale", words.stale)),
  );
}

export function showCounts(perLevel: readonly number[], speech: Speech): void {
  counts.forEach((node, level) => {
    const text = speech.number(perLevel[level] ?? 0);
    if (node.textContent !== text) node.textContent = text;
  });
}

function stroke(kind: string, word: string): HTMLElement {
  return element("li", {}, element("span", { class: `stroke ${kind}`, "aria-hidden": "true" }), word);
}
