/** How old the picture is, and what time it is for the data. */

/** Older than this, the picture is no longer called live. */
export const WARN_AFTER_S = 90;

/** Further than this from the wall clock, the data are a replay and have a clock of their own. */
const REPLAY_BEYOND_S = 3600;

export type Freshness =
  | { readonly kind: "none" }
  | { readonly kind: "live"; readonly ageS: number; readonly old: boolean }
  | { readonly kind: "replay"; readonly atMs: number; readonly old: boolean; readonly ageS: number };

export class DataClock {
  private asOfMs: number | undefined;
  private movedAtMs = 0;
  private serverAheadMs = 0;

  /** The server's clock, from the `Date` of an answer: this machine's may be wrong. */
  serverSays(date: string | null, nowMs: number): void {
    const server = date === null ? Number.NaN : Date.parse(date);
    // The header counts whole seconds, so less than two of difference says nothing.
    if (Number.isFinite(server)) this.serverAheadMs = Math.abs(server - nowMs) < 2000 ? 0 : server - nowMs;
  }

  stateAsOf(asOfMs: number, nowMs: number): void {
    if (asOfMs === this.asOfMs) return;
    this.asOfMs = asOfMs;
    this.movedAtMs = nowMs;
  }

  /** Time of the newest state; undefined before the first. */
  get newest(): number | undefined {
    return this.asOfMs;
  }

  forget(): void {
    this.asOfMs = undefined;
  }

  /** Now, by the data's clock; undefined before the first state. */
  now(nowMs: number): number | undefined {
    return this.asOfMs === undefined ? undefined : this.asOfMs + Math.max(0, nowMs - this.movedAtMs);
  }

  freshness(nowMs: number): Freshness {
    if (this.asOfMs === undefined) return { kind: "none" };
    const lagS = (nowMs + this.serverAheadMs - this.asOfMs) / 1000;
    const stillS = Math.max(0, nowMs - this.movedAtMs) / 1000;
    if (Math.abs(lagS - stillS) > REPLAY_BEYOND_S) {
      return { kind: "replay", atMs: this.asOfMs, ageS: stillS, old: stillS > WARN_AFTER_S };
    }
    const ageS = Math.max(0, lagS);
    return { kind: "live", ageS, old: ageS > WARN_AFTER_S };
  }
}

/** Counts per second over the last few seconds. */
export class Rate {
  private readonly marks: { atMs: number; n: number }[] = [];

  constructor(private readonly windowMs = 5000) {}

  add(n: number, nowMs: number): void {
    this.marks.push({ atMs: nowMs, n });
  }

  perSecond(nowMs: number): number {
    while (this.marks.length > 0 && this.marks[0]!.atMs < nowMs - this.windowMs) this.marks.shift();
    return this.marks.reduce((sum, mark) => sum + mark.n, 0) / (this.windowMs / 1000);
  }
}
