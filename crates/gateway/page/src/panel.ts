/** A link's panel: all that is known of it, and what is not known said so. */

import type { LinkState } from "./gen/luong/v1/state_pb.js";
import { byId, element } from "./dom.js";
import { badge } from "./legend.js";
import type { Road } from "./network.js";
import type { Theme } from "./palette.js";
import { roadRows, stateRows } from "./rows.js";
import type { Row } from "./rows.js";
import type { Speech } from "./speech.js";
import { appearanceOf } from "./states.js";

const panel = byId("link");
const name = byId("link-name");
const where = byId("link-where");
const level = byId("link-level");
const live = byId("link-live");
const fixed = byId("link-road");
const close = byId<HTMLButtonElement>("link-close");

export function onClose(action: () => void): void {
  close.addEventListener("click", action);
}

export function hideLink(): void {
  panel.hidden = true;
}

export function showLink(road: Road, state: LinkState | undefined, nowMs: number | undefined, theme: Theme, speech: Speech): void {
  const { words } = speech;
  panel.hidden = false;
  close.setAttribute("aria-label", words.close);
  close.title = words.close;
  name.textContent = road.link.name || words.unnamed;
  where.textContent = `${words.roadClasses[road.link.roadClass] ?? words.road}, ${speech.heading(road)}`;
  const shown = appearanceOf(state, nowMs).level;
  level.replaceChildren(badge(shown, theme), element("span", {}, words.levels[shown]!));
  fill(live, stateRows(state, nowMs, speech));
  fill(fixed, roadRows(road, speech));
}

/** Changes only what differs: the panel is redrawn each second under a reader's eyes. */
function fill(list: HTMLElement, rows: readonly Row[]): void {
  const nodes = rows.flatMap(([term, value, note]) => [
    element("dt", {}, term),
    element("dd", {}, value, note !== undefined && element("small", {}, note)),
  ]);
  const old = [...list.children];
  if (old.length !== nodes.length) return list.replaceChildren(...nodes);
  nodes.forEach((node, i) => {
    if (!old[i]!.isEqualNode(node)) old[i]!.replaceWith(node);
  });
}
