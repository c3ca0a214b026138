/** A small read-only window into the page, for tests and for the curious at the browser's console. */

import { toJson } from "@bufbuild/protobuf";
import { LinkStateSchema } from "./gen/luong/v1/state_pb.js";
import type { CityMap } from "./map.js";
import { PALETTES } from "./palette.js";
import type { Theme } from "./palette.js";
import type { Picture } from "./picture.js";
import type { Connection } from "./reconnect.js";

export interface Hook {
  readonly connected: boolean;
  readonly links: number;
  readonly linkIds: readonly string[];
  readonly networkVersion: string;
  readonly resumeToken: string;
  readonly theme: Theme;
  /** Updates taken in since the page was loaded. */
  readonly updates: number;
  /** How often the stream began with a snapshot, and how often it was resumed. */
  readonly snapshots: number;
  readonly resumed: number;
  /** The newest state, as protobuf JSON. */
  stateOf(linkId: string): unknown;
  /** As painted on the map at this moment. */
  colourOf(linkId: string): string | undefined;
  appearanceOf(linkId: string): unknown;
  /** CSS pixels from the page's top left. */
  pointOf(linkId: string): [number, number] | undefined;
}

export interface Counts {
  updates: number;
  snapshots: number;
  resumed: number;
}

export function offerHook(picture: Picture, city: CityMap | undefined, connection: () => Connection, theme: () => Theme, counts: Counts): void {
  const hook: Hook = {
    get connected() {
      return connection().kind === "live";
    },
    get links() {
      return picture.network.roads.length;
    },
    get linkIds() {
      return picture.network.roads.map((road) => road.link.linkId);
    },
    get networkVersion() {
      return picture.network.version;
    },
    get resumeToken() {
      return picture.states.resumeToken;
    },
    get theme() {
      return theme();
    },
    get updates() {
      return counts.updates;
    },
    get snapshots() {
      return counts.snapshots;
    },
    get resumed() {
      return counts.resumed;
    },
    stateOf(linkId) {
      const index = picture.network.indexOf(linkId);
      const state = index === undefined ? undefined : picture.states.of(index);
      return state && toJson(LinkStateSchema, state);
    },
    colourOf(linkId) {
      const index = picture.network.indexOf(linkId);
      return index === undefined || !city ? undefined : PALETTES[theme()].levels[city.paintedAs(index).level];
    },
    appearanceOf(linkId) {
      const index = picture.network.indexOf(linkId);
      return index === undefined ? undefined : city?.paintedAs(index);
    },
    pointOf(linkId) {
      const index = picture.network.indexOf(linkId);
      const point = index === undefined ? undefined : city?.pointOf(index);
      const map = document.getElementById("map")!.getBoundingClientRect();
      return point && [point[0] + map.left, point[1] + map.top];
    },
  };
  Object.defineProperty(window, "luong", { value: Object.freeze(hook), writable: false });
}
