/** The list of open queues and events. */

import { EventType } from "./gen/luong/v1/events_pb.js";
import type { TrafficEvent } from "./gen/luong/v1/events_pb.js";
import { byId, element, setText } from "./dom.js";
import { openedMs } from "./events.js";
import type { Order } from "./events.js";
import type { Network } from "./network.js";
import { PALETTES } from "./palette.js";
import type { Theme } from "./palette.js";
import type { Speech } from "./speech.js";

/** More than this nobody reads; the rest is counted. */
const MOST_SHOWN = 100;

const title = byId("events-title");
const count = byId("events-count");
const list = byId("events-list");
const note = byId("events-note");
const order = byId<HTMLSelectElement>("events-order");

export function chosenOrder(): Order {
  return order.value === "newest" ? "newest" : "worst";
}

export function onOrder(action: () => void): void {
  order.addEventListener("change", action);
}

export function onEvent(action: (id: string) => void): void {
  list.addEventListener("click", (click) => {
    const id = (click.target as Element).closest<HTMLElement>("[data-event]")?.dataset["event"];
    if (id !== undefined) action(id);
  });
}

export interface EventsShown {
  readonly events: readonly TrafficEvent[];
  readonly offered: boolean;
  readonly network: Network;
  readonly chosen: string | undefined;
  /** Now, by the data's clock. */
  readonly nowMs: number;
}

export function showEvents(shown: EventsShown, theme: Theme, speech: Speech): void {
  const { words } = speech;
  const { events } = shown;
  setText(title, words.events);
  setText(count, events.length === 0 ? "" : speech.number(events.length));
  showOrder(speech);
  const rest = events.length - MOST_SHOWN;
  setText(note, !shown.offered ? words.eventsNotOffered : events.length === 0 ? words.noEvents : rest > 0 ? words.andMore(speech.number(rest)) : "");
  place(events.slice(0, MOST_SHOWN).map((event) => item(event, shown, theme, speech)));
}

function showOrder({ words }: Speech): void {
  order.setAttribute("aria-label", words.order);
  setText(order.options[0]!, words.worstFirst);
  setText(order.options[1]!, words.newestFirst);
}

/** Changes only what differs, so that the keyboard's focus stays where it is. */
function place(items: HTMLElement[]): void {
  const focused = (document.activeElement as HTMLElement | null)?.dataset["event"];
  items.forEach((node, i) => {
    const old = list.children[i];
    if (!old) list.append(node);
    else if (!old.isEqualNode(node)) old.replaceWith(node);
  });
  while (list.children.length > items.length) list.lastElementChild?.remove();
  if (focused !== undefined && (document.activeElement as HTMLElement | null)?.dataset["event"] !== focused) {
    list.querySelector<HTMLElement>(`[data-event="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

function item(event: TrafficEvent, { network, chosen, nowMs }: EventsShown, theme: Theme, speech: Speech): HTMLElement {
  const { words } = speech;
  const mark = element("span", { class: "mark", "aria-hidden": "true" });
  mark.style.setProperty("--mark", PALETTES[theme].events[event.type] ?? PALETTES[theme].events[0]);
  const opened = openedMs(event);
  const since = words.since(speech.hourAndMinute(opened), speech.span(Math.max(0, (nowMs - opened) / 1000)));
  const button = element(
    "button",
    { type: "button", "data-event": event.id, "aria-pressed": String(event.id === chosen) },
    mark,
    element("span", { class: "what" }, words.eventTypes[event.type] ?? words.eventTypes[0]!, element("b", {}, size(event, speech))),
    element("span", { class: "where" }, placeName(event, network, speech)),
    element("span", { class: "when" }, since),
  );
  return element("li", {}, button);
}

function size(event: TrafficEvent, speech: Speech): string {
  const { words } = speech;
  const parts: string[] = [];
  if (event.queueM !== undefined) parts.push(speech.length(event.queueM));
  if (event.delayVehH !== undefined) parts.push(words.delayTotal(speech.number(event.delayVehH, 1)));
  if (event.confidence !== undefined) parts.push(words.sure(`${speech.number(event.confidence * 100)} %`));
  return parts.join(" · ");
}

function placeName(event: TrafficEvent, network: Network, speech: Speech): string {
  const at = placeOf(event);
  const road = at === "" ? "" : speech.roadName(network.road(at), at);
  if (event.type !== EventType.SENSOR_FAULT || event.sensorId === "") return road;
  return [speech.words.sensor(event.sensorId), road].filter((part) => part !== "").join(", ");
}

/** The link where an event is to be looked for: what holds the queue back, else where it is. */
export function placeOf(event: TrafficEvent): string {
  return event.headLinkId || event.linkId;
}
