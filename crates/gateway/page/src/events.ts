/** The open events, folded from a list and a stream of changes that may overlap. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { EventChange, EventType } from "./gen/luong/v1/events_pb.js";
import type { TrafficEvent } from "./gen/luong/v1/events_pb.js";

export type Order = "worst" | "newest";

export class EventStore {
  /** Newest revision of each event, cleared ones too while they may still be contradicted by an older list. */
  private readonly newest = new Map<string, TrafficEvent>();
  private readonly heard = new Set<string>();
  private reconciled = false;
  resumeToken = "";

  /** The list is being asked for: what it does not name, and the stream neither from now on, is over. */
  begin(): void {
    this.heard.clear();
    this.reconciled = false;
  }

  /** Takes one change in; an older revision than the one held says nothing. */
  apply(event: TrafficEvent): void {
    if (!this.reconciled) this.heard.add(event.id);
    if (event.resumeToken !== "") this.resumeToken = event.resumeToken;
    this.keepNewest(event);
    if (this.reconciled && event.change === EventChange.CLEARED) this.newest.delete(event.id);
  }

  /** Takes the list of all open events, asked for at `begin`. */
  reconcile(listed: readonly TrafficEvent[]): void {
    const ids = new Set(listed.map((event) => event.id));
    for (const id of [...this.newest.keys()]) {
      if (!ids.has(id) && !this.heard.has(id)) this.newest.delete(id);
    }
    listed.forEach((event) => this.keepNewest(event));
    for (const [id, event] of [...this.newest]) {
      if (event.change === EventChange.CLEARED) this.newest.delete(id);
    }
    this.reconciled = true;
    this.heard.clear();
  }

  open(order: Order): TrafficEvent[] {
    const open = [...this.newest.values()].filter((event) => event.change !== EventChange.CLEARED);
    return open.sort(order === "worst" ? worseFirst : newerFirst);
  }

  private keepNewest(event: TrafficEvent): void {
    const held = this.newest.get(event.id);
    if (!held || held.revision < event.revision) this.newest.set(event.id, event);
  }
}

export function openedMs(event: TrafficEvent): number {
  const at = event.openedAt ?? event.at;
  return at ? timestampMs(at) : 0;
}

/** What blocks a road comes before what waits behind it; a faulty sensor holds nobody up. */
const RANK: Record<EventType, number> = {
  [EventType.INCIDENT]: 0,
  [EventType.SPILLBACK]: 1,
  [EventType.QUEUE]: 1,
  [EventType.UNSPECIFIED]: 2,
  [EventType.SENSOR_FAULT]: 3,
};

function worseFirst(a: TrafficEvent, b: TrafficEvent): number {
  return (
    (RANK[a.type] ?? 2) - (RANK[b.type] ?? 2) ||
    (b.delayVehH ?? 0) - (a.delayVehH ?? 0) ||
    (b.queueM ?? 0) - (a.queueM ?? 0) ||
    newerFirst(a, b)
  );
}

function newerFirst(a: TrafficEvent, b: TrafficEvent): number {
  return openedMs(b) - openedMs(a) || a.id.localeCompare(b.id);
}
