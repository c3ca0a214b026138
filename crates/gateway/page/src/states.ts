/** The newest state of each link, folded from the stream of updates. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Network } from "./network.js";
import { LevelOfService, Source, StateUpdate_Kind } from "./gen/luong/v1/state_pb.js";
import type { LinkState, StateUpdate } from "./gen/luong/v1/state_pb.js";

/** A measurement older than this no longer says how the road is now. */
export const STALE_AFTER_S = 180;

export class StateStore {
  private states: (LinkState | undefined)[];
  /** Give it back to go on after the last whole answer; empty: start anew. */
  resumeToken = "";
  /** False while only a part of a snapshot is here: not to be shown yet. */
  whole = false;
  /** Links that the stream names and the network does not have. */
  unknownLinks = 0;

  constructor(private readonly network: Network) {
    this.states = new Array<LinkState | undefined>(network.roads.length);
  }

  of(index: number): LinkState | undefined {
    return this.states[index];
  }

  /** Takes one update in; returns the indexes of the links that it touched. */
  apply(update: StateUpdate): number[] {
    const touched: number[] = [];
    if (update.kind === StateUpdate_Kind.SNAPSHOT && this.resumeTokenIsOlder()) {
      this.states.forEach((state, index) => state && touched.push(index));
      this.states.fill(undefined);
    }
    for (const state of update.states) {
      const index = this.network.indexOf(state.linkId);
      if (index === undefined) {
        this.unknownLinks += 1;
        continue;
      }
      this.states[index] = state;
      touched.push(index);
    }
    for (const linkId of update.leftFilterLinkIds) {
      const index = this.network.indexOf(linkId);
      if (index === undefined) continue;
      this.states[index] = undefined;
      touched.push(index);
    }
    this.settle(update);
    return touched;
  }

  private inSnapshot = false;

  /** True at the first part of a snapshot. A broken-off snapshot can't be resumed by the token before it. */
  private resumeTokenIsOlder(): boolean {
    const first = !this.inSnapshot;
    this.inSnapshot = true;
    if (first) this.resumeToken = "";
    return first;
  }

  private settle(update: StateUpdate): void {
    if (update.kind === StateUpdate_Kind.SNAPSHOT) this.whole = update.complete;
    if (update.complete) {
      this.inSnapshot = false;
      this.resumeToken = update.resumeToken;
    }
  }

  /** To be called when a stream breaks off: what comes next is the first part of something new. */
  brokenOff(): void {
    this.inSnapshot = false;
  }
}

/** How a link is drawn: all that the map needs to know of a state. */
export interface Appearance {
  /** 0 = not known, 1..6 = A..F. */
  readonly level: number;
  /** Not measured on the link itself. */
  readonly estimated: boolean;
  readonly stale: boolean;
}

export const UNKNOWN: Appearance = { level: 0, estimated: false, stale: false };

export function appearanceOf(state: LinkState | undefined, nowMs: number | undefined): Appearance {
  if (!state || state.source === Source.NONE || state.source === Source.UNSPECIFIED) return UNKNOWN;
  const level = state.levelOfService;
  if (level < LevelOfService.A || level > LevelOfService.F) return UNKNOWN;
  const age = ageSeconds(state, nowMs);
  return {
    level,
    estimated: state.source !== Source.OBSERVED,
    stale: age !== undefined && age > STALE_AFTER_S,
  };
}

export function sameAppearance(a: Appearance, b: Appearance): boolean {
  return a.level === b.level && a.estimated === b.estimated && a.stale === b.stale;
}

/** Age of the newest observation under a state at `nowMs` of the data's clock; undefined where there is none. */
export function ageSeconds(state: LinkState, nowMs: number | undefined): number | undefined {
  if (state.ageS === undefined) return undefined;
  if (nowMs === undefined || !state.validAt) return state.ageS;
  return state.ageS + Math.max(0, (nowMs - timestampMs(state.validAt)) / 1000);
}

/** How many links are at each level, kept as they change: a city has more links than may be counted at each update. */
export class LevelCounts {
  /** Index 0 = not known, 1..6 = A..F. */
  readonly counts: number[];
  private readonly levels: Uint8Array;

  constructor(private readonly links: number) {
    this.levels = new Uint8Array(links);
    this.counts = [links, 0, 0, 0, 0, 0, 0];
  }

  set(index: number, level: number): void {
    this.counts[this.levels[index]!]! -= 1;
    this.counts[level]! += 1;
    this.levels[index] = level;
  }

  get known(): number {
    return this.links - this.counts[0]!;
  }
}
