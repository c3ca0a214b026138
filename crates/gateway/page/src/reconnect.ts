/** Keeps one connection going: tries, notices silence, waits longer after each failure, and says where it stands. */

export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly retryAtMs: number };

/** What it needs of the world outside, so that a test can turn its clock. */
export interface World {
  now(): number;
  random(): number;
  after(ms: number, action: () => void): () => void;
}

export const browserWorld: World = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (ms, action) => {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};

/** Three of the gateway's 2 s heartbeats missed. */
export const SILENCE_MS = 7000;
/** A connection that ended sooner was no good one, however politely it ended. */
const LEAST_LIFE_MS = 2000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** How long to wait after the n-th failure in a row (n from 1), spread by a quarter so that a hundred pages don't knock at once. */
export function waitAfter(failures: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return wait * (0.75 + 0.5 * random);
}

/** One connection, from opening to its end; calls `alive` for whatever arrives. */
export type Attempt = (signal: AbortSignal, alive: () => void) => Promise<void>;

export class Reconnector {
  private failures = 0;
  private stopped = false;
  private resting = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly attempt: Attempt,
    private readonly report: (connection: Connection, error?: unknown) => void,
    private readonly world: World = browserWorld,
  ) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    while (!this.stopped) {
      await this.whileResting();
      this.report({ kind: "connecting" });
      const began = this.world.now();
      const outcome = await this.once();
      if (this.stopped) return;
      if (this.resting) continue;
      // A server that shuts an old connection in good order is not a failure: go on at once.
      if (outcome.endedInOrder && this.world.now() - began >= LEAST_LIFE_MS) continue;
      this.failures += 1;
      const wait = waitAfter(this.failures, this.world.random());
      this.report({ kind: "lost", retryAtMs: this.world.now() + wait }, outcome.error);
      await this.sleep(wait);
    }
  }

  /** Does not wait any longer. */
  retryNow(): void {
    this.wake?.();
  }

  /** Gives the connection back until `resume`: nobody is looking. */
  pause(): void {
    this.resting = true;
    this.current?.abort();
    this.wake?.();
  }

  resume(): void {
    if (!this.resting) return this.retryNow();
    this.resting = false;
    this.wake?.();
  }

  stop(): void {
    this.stopped = true;
    this.resting = false;
    this.current?.abort();
    this.wake?.();
  }

  private async whileResting(): Promise<void> {
    while (this.resting) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  private current: AbortController | undefined;

  private async once(): Promise<{ endedInOrder: boolean; error?: unknown }> {
    const controller = new AbortController();
    this.current = controller;
    let wasAlive = false;
    const silent = () => controller.abort(new Error(`nothing was heard for ${SILENCE_MS / 1000} s`));
    let cancelWatchdog = this.world.after(SILENCE_MS, silent);
    const alive = () => {
      if (controller.signal.aborted) return;
      cancelWatchdog();
      cancelWatchdog = this.world.after(SILENCE_MS, silent);
      if (!wasAlive) this.report({ kind: "live" });
      wasAlive = true;
      this.failures = 0;
    };
    try {
      await this.attempt(controller.signal, alive);
      return { endedInOrder: wasAlive };
    } catch (error) {
      return { endedInOrder: false, error };
    } finally {
      cancelWatchdog();
      controller.abort();
    }
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.world.after(ms, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
