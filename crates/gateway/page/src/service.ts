/** The gateway, as the page calls it: one network, then two streams, over gRPC-web at the page's own origin. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Transport } from "@connectrpc/connect";
import { TrafficEvents, WatchEventsRequestSchema } from "./gen/luong/v1/events_pb.js";
import type { TrafficEvent } from "./gen/luong/v1/events_pb.js";
import { RoadNetwork } from "./gen/luong/v1/network_pb.js";
import type { Link } from "./gen/luong/v1/network_pb.js";
import { TrafficState, WatchStateRequestSchema } from "./gen/luong/v1/state_pb.js";
import type { StateUpdate } from "./gen/luong/v1/state_pb.js";
import { networkOf } from "./network.js";
import type { Network } from "./network.js";

/** Faster than this, the eye sees no more and the machine works more. */
const LEAST_INTERVAL_MS = 250;
const EVENTS_PER_PAGE = 1000;

export class Service {
  private readonly roads;
  private readonly states;
  private readonly events;

  constructor(transport: Transport) {
    this.roads = createClient(RoadNetwork, transport);
    this.states = createClient(TrafficState, transport);
    this.events = createClient(TrafficEvents, transport);
  }

  /** Fetches the whole network; `alive` is called for each part. */
  async network(signal: AbortSignal, alive: () => void): Promise<Network> {
    const links: Link[] = [];
    let version = "";
    let title = "";
    for await (const chunk of this.roads.getNetwork({}, { signal })) {
      alive();
      version = chunk.networkVersion;
      title = chunk.title;
      links.push(...chunk.links);
    }
    return networkOf(version, links, title);
  }

  watchStates(resumeToken: string, signal: AbortSignal, onHeader: (headers: Headers) => void): AsyncIterable<StateUpdate> {
    const request = create(WatchStateRequestSchema, { resumeToken, minInterval: durationFromMs(LEAST_INTERVAL_MS) });
    return this.states.watchState(request, { signal, onHeader });
  }

  watchEvents(resumeToken: string, signal: AbortSignal, onHeader: () => void): AsyncIterable<TrafficEvent> {
    return this.events.watchEvents(create(WatchEventsRequestSchema, { resumeToken }), { signal, onHeader });
  }

  async openEvents(signal: AbortSignal): Promise<TrafficEvent[]> {
    const events: TrafficEvent[] = [];
    let pageToken = "";
    do {
      const page = await this.events.listEvents({ pageSize: EVENTS_PER_PAGE, pageToken }, { signal });
      events.push(...page.events);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return events;
  }
}

/** The gateway does not have this part: to be said, not to be tried again. */
export function isNotOffered(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unimplemented;
}

/** A resume token that the gateway refuses to read: start anew. */
export function isRefused(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.InvalidArgument;
}

/** The gateway asks to go elsewhere, as it does with old connections and before it stops. */
export function isFarewell(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unavailable;
}
