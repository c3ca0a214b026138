/** A small gateway for the page's tests: serves the built page and the three services of a made-up city. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { EventChange, EventType, TrafficEvents, TrafficEventSchema } from "../src/gen/luong/v1/events_pb.js";
import type { TrafficEvent } from "../src/gen/luong/v1/events_pb.js";
import { RoadNetwork } from "../src/gen/luong/v1/network_pb.js";
import type { Link } from "../src/gen/luong/v1/network_pb.js";
import { LevelOfService, LinkStateSchema, Source, StateUpdate_Kind, TrafficState } from "../src/gen/luong/v1/state_pb.js";
import type { LinkState } from "../src/gen/luong/v1/state_pb.js";

/** What the gateway's README asks of whoever serves the page. */
export const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

type StateFields = Omit<MessageInitShape<typeof LinkStateSchema>, "$typeName" | "$unknown">;

export class MockGateway {
  version = "1".repeat(16);
  title = "A made-up grid, for tests";
  readonly states = new Map<string, LinkState>();
  readonly events = new Map<string, TrafficEvent>();
  readingsPerS: number | undefined;
  heartbeatMs = 500;
  /** Stands still while no state comes, as with a stopped analyser. */
  asOfMs = Date.now();
  private generation = 1;
  private changes: { n: number; linkId: string }[] = [];
  private eventChanges: TrafficEvent[] = [];
  private wakers = new Set<() => void>();
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly links: Link[],
    private readonly dist: string,
  ) {}

  async start(port = 0): Promise<string> {
    const rpc = connectNodeAdapter({
      routes: (router) => {
        const { links } = this;
        const mock = this;
        router.service(RoadNetwork, {
          async *getNetwork() {
            for (let at = 0; at < links.length; at += 500) {
              yield { networkVersion: mock.version, totalLinks: links.length, title: mock.title, links: links.slice(at, at + 500) };
            }
          },
        });
        router.service(TrafficState, { watchState: (request, context) => mock.watchState(request.resumeToken, context.signal) });
        router.service(TrafficEvents, {
          listEvents: () => ({ events: [...mock.events.values()].filter((event) => event.change !== EventChange.CLEARED) }),
          watchEvents: (_, context) => mock.watchEvents(context.signal),
        });
      },
    });
    const server = createServer((request, response) => {
      if (request.method === "POST") rpc(request, response);
      else void this.file(request, response);
    });
    server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    this.server = server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  get port(): number {
    return (this.server?.address() as AddressInfo).port;
  }

  /** Breaks every connection off, as a crash does. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** A restarted gateway that remembers nothing: older tokens are not honoured. */
  forgetTokens(): void {
    this.generation += 1;
    this.changes = [];
  }

  setState(linkId: string, state: StateFields): void {
    this.asOfMs = Date.now();
    this.states.set(linkId, create(LinkStateSchema, { linkId, validAt: timestampFromMs(this.asOfMs), ...state }));
    this.changes.push({ n: this.changes.length + 1, linkId });
    this.wake();
  }

  setEvent(event: TrafficEvent): void {
    this.events.set(event.id, event);
    this.eventChanges.push(event);
    this.wake();
  }

  private wake(): void {
    for (const waker of [...this.wakers]) waker();
  }

  private async next(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.wakers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wakers.add(done);
      signal.addEventListener("abort", done);
    });
  }

  private async *watchState(token: string, signal: AbortSignal) {
    const [generation, position] = token.split(":").map(Number);
    const honoured = generation === this.generation && position !== undefined;
    let at = honoured ? position : this.changes.length;
    const whole = honoured ? this.since(at) : [...this.states.values()];
    at = this.changes.length;
    const kind = honoured ? StateUpdate_Kind.RESUMED : StateUpdate_Kind.SNAPSHOT;
    const half = Math.ceil(whole.length / 2);
    yield { ...this.update(kind, whole.slice(0, half), at), complete: false, resumeToken: "" };
    yield this.update(kind, whole.slice(half), at);
    while (!signal.aborted) {
      await this.next(this.heartbeatMs, signal);
      const states = this.since(at);
      at = this.changes.length;
      yield this.update(StateUpdate_Kind.DELTA, states, at);
    }
  }

  private since(position: number): LinkState[] {
    const linkIds = new Set(this.changes.slice(position).map((change) => change.linkId));
    return [...linkIds].map((linkId) => this.states.get(linkId)!);
  }

  private update(kind: StateUpdate_Kind, states: LinkState[], at: number) {
    const asOf = timestampFromMs(this.asOfMs);
    return { kind, complete: true, resumeToken: `${this.generation}:${at}`, asOf, networkVersion: this.version, states, readingsPerS: this.readingsPerS };
  }

  private async *watchEvents(signal: AbortSignal) {
    let at = this.eventChanges.length;
    for (const event of [...this.events.values()]) if (event.change !== EventChange.CLEARED) yield event;
    while (!signal.aborted) {
      await this.next(60_000, signal);
      const news = this.eventChanges.slice(at);
      at = this.eventChanges.length;
      yield* news;
    }
  }

  private async file(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = normalize(new URL(request.url ?? "/", "http://page").pathname);
    const name = path === "/" ? "/index.html" : path;
    try {
      const body = await readFile(join(this.dist, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  }
}

/** A measured state of some level; speeds are chosen in the middle of the level's band of a 50 km/h free flow. */
export function observed(level: LevelOfService, more: StateFields = {}): StateFields {
  const share = [0, 0.9, 0.73, 0.58, 0.45, 0.35, 0.15][level]!;
  const speed = 50 * share;
  return {
    speedKmh: speed,
    speedLoKmh: speed * 0.85,
    speedHiKmh: speed * 1.2,
    freeFlowSpeedKmh: 50,
    flowVph: 1840,
    flowPcuph: 730,
    flowMcuph: 2410,
    densityVpkm: 1840 / speed,
    travelTimeS: 312 / (speed / 3.6),
    delayS: 312 / (speed / 3.6) - 312 / (50 / 3.6),
    queueM: level >= 5 ? 140 : 0,
    levelOfService: level,
    congested: level >= 5,
    source: Source.OBSERVED,
    ageS: 4,
    ...more,
  };
}

export function trafficEvent(id: string, more: object): TrafficEvent {
  return create(TrafficEventSchema, {
    id,
    revision: 1,
    type: EventType.QUEUE,
    change: EventChange.OPENED,
    at: timestampNow(),
    openedAt: timestampFromMs(Date.now() - 300_000),
    ...more,
  });
}
