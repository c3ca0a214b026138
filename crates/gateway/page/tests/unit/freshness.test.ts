import assert from "node:assert/strict";
import { test } from "node:test";
import { DataClock, Rate, WARN_AFTER_S } from "../../src/freshness.js";

const T0 = Date.UTC(2026, 10, 22, 7, 0);

test("before the first state nothing is said of its age", () => {
  assert.deepEqual(new DataClock().freshness(T0), { kind: "none" });
  assert.equal(new DataClock().now(T0), undefined);
});

test("the picture's age is counted from the newest state, and is said to be old in time", () => {
  const clock = new DataClock();
  clock.stateAsOf(T0 - 2000, T0);
  assert.deepEqual(clock.freshness(T0), { kind: "live", ageS: 2, old: false });
  clock.stateAsOf(T0 - 2000, T0 + 60_000);
  const later = clock.freshness(T0 + WARN_AFTER_S * 1000);
  assert.ok(later.kind === "live" && later.old, "a heartbeat that moves no clock does not freshen");
});

test("a wrong clock in the reader's machine is put right by the server's", () => {
  const clock = new DataClock();
  const wrong = T0 - 600_000;
  clock.serverSays(new Date(T0).toUTCString(), wrong);
  clock.stateAsOf(T0 - 1000, wrong);
  assert.deepEqual(clock.freshness(wrong), { kind: "live", ageS: 1, old: false });
  clock.serverSays(null, wrong);
  assert.equal(clock.freshness(wrong).kind, "live");
});

test("data far from the wall clock are a replay with a time of their own", () => {
  const clock = new DataClock();
  clock.stateAsOf(T0 - 30 * 86_400_000, T0);
  const fresh = clock.freshness(T0 + 1000);
  assert.deepEqual(fresh, { kind: "replay", atMs: T0 - 30 * 86_400_000, ageS: 1, old: false });
  assert.equal(clock.now(T0 + 1000), T0 - 30 * 86_400_000 + 1000);
});

test("a picture that stands still for two hours is old, not a replay", () => {
  const clock = new DataClock();
  clock.stateAsOf(T0, T0);
  assert.deepEqual(clock.freshness(T0 + 7_200_000), { kind: "live", ageS: 7200, old: true });
});

test("rates count the last seconds only", () => {
  const rate = new Rate(5000);
  rate.add(100, T0);
  rate.add(50, T0 + 4000);
  assert.equal(rate.perSecond(T0 + 4000), 30);
  assert.equal(rate.perSecond(T0 + 6000), 10);
  assert.equal(rate.perSecond(T0 + 60_000), 0);
});
