/** All that the page knows of the city, kept current by one session after another. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { EventStore } from "./events.js";
import { DataClock, Rate } from "./freshness.js";
import { Network } from "./network.js";
import { isFarewell, isNotOffered, isRefused } from "./service.js";
import type { Service } from "./service.js";
import { StateStore } from "./states.js";
import type { StateUpdate, StateUpdate_Kind } from "./gen/luong/v1/state_pb.js";

const LIST_AFTER_MS = 1000;
const EVENTS_AGAIN_AFTER_MS = 1000;

/** Who draws the picture. */
export interface Viewer {
  networkChanged(): void;
  statesChanged(indexes: readonly number[]): void;
  eventsChanged(): void;
  updateTaken(kind: StateUpdate_Kind, complete: boolean): void;
}

export class Picture {
  network = Network.empty;
  states = new StateStore(Network.empty);
  readonly events = new EventStore();
  eventsOffered = true;
  readonly clock = new DataClock();
  readonly updates = new Rate();
  /** As the gateway says it; undefined where it does not. */
  readingsPerS: number | undefined;

  constructor(
    private readonly service: Service,
    private readonly viewer: Viewer,
  ) {}

  /** One session: loads the network if there is none, then follows states and events until either breaks. */
  async follow(signal: AbortSignal, alive: () => void): Promise<void> {
    if (this.network === Network.empty) await this.load(signal, alive);
    const session = new AbortController();
    const stop = () => session.abort(signal.reason);
    signal.addEventListener("abort", stop);
    const either = [this.followStates(session.signal, alive), this.followEvents(session.signal)];
    try {
      await Promise.race(either);
    } finally {
      session.abort();
      await Promise.allSettled(either);
      signal.removeEventListener("abort", stop);
      this.states.brokenOff();
    }
  }

  private async load(signal: AbortSignal, alive: () => void): Promise<void> {
    this.network = await this.service.network(signal, alive);
    this.states = new StateStore(this.network);
    this.clock.forget();
    this.viewer.networkChanged();
  }

  private async followStates(signal: AbortSignal, alive: () => void): Promise<void> {
    const onHeader = (headers: Headers) => this.clock.serverSays(headers.get("date"), Date.now());
    let begun = false;
    try {
      for await (const update of this.service.watchStates(this.states.resumeToken, signal, onHeader)) {
        if (signal.aborted) return;
        alive();
        begun = true;
        if (this.isOfAnotherNetwork(update)) {
          this.network = Network.empty;
          return;
        }
        this.take(update);
      }
    } catch (error) {
      if (begun && isFarewell(error)) return;
      if (isRefused(error)) this.states.resumeToken = "";
      throw error;
    }
  }

  private isOfAnotherNetwork(update: StateUpdate): boolean {
    return update.networkVersion !== "" && update.networkVersion !== this.network.version;
  }

  private take(update: StateUpdate): void {
    const now = Date.now();
    const touched = this.states.apply(update);
    this.updates.add(update.states.length, now);
    this.readingsPerS = update.readingsPerS;
    if (update.asOf) this.clock.stateAsOf(timestampMs(update.asOf), now);
    this.viewer.updateTaken(update.kind, update.complete);
    this.viewer.statesChanged(touched);
  }

  /** Follows the events for as long as the session lives; the gateway may end this stream before that of the states. */
  private async followEvents(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.followEventsOnce(signal);
      } catch (error) {
        if (isNotOffered(error)) return this.withoutEvents(signal);
        if (isRefused(error)) this.events.resumeToken = "";
        if (!isFarewell(error)) throw error;
      }
      await pause(EVENTS_AGAIN_AFTER_MS, signal);
    }
  }

  private async followEventsOnce(signal: AbortSignal): Promise<void> {
    // Asked for once the stream stands, so that no change falls between the two; a proxy may hold its headers back until
    // the first event, so it is asked for after a while all the same.
    const reconcile = () => void this.reconcile(signal);
    const later = setTimeout(reconcile, LIST_AFTER_MS);
    try {
      for await (const event of this.service.watchEvents(this.events.resumeToken, signal, reconcile)) {
        if (signal.aborted) return;
        this.events.apply(event);
        this.viewer.eventsChanged();
      }
    } finally {
      clearTimeout(later);
    }
  }

  private async reconcile(signal: AbortSignal): Promise<void> {
    this.events.begin();
    try {
      const listed = await this.service.openEvents(signal);
      if (signal.aborted) return;
      this.eventsOffered = true;
      this.events.reconcile(listed);
      this.viewer.eventsChanged();
    } catch {
      // The stream breaks for the same reason, and the next session asks again; without a list it goes on by itself.
    }
  }

  private withoutEvents(signal: AbortSignal): Promise<void> {
    this.eventsOffered = false;
    this.viewer.eventsChanged();
    return pause(undefined, signal);
  }
}

/** Waits, without end where no time is given, or until the signal. */
function pause(ms: number | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    if (ms !== undefined) setTimeout(resolve, ms);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
