import assert from "node:assert/strict";
import { test } from "node:test";
import { Reconnector, SILENCE_MS, waitAfter } from "../../src/reconnect.js";
import type { Attempt, Connection, World } from "../../src/reconnect.js";

/** A world whose clock the test turns. */
class TestWorld implements World {
  private ms = 0;
  private timers: { at: number; action: () => void }[] = [];

  now(): number {
    return this.ms;
  }

  random(): number {
    return 0.5;
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.ms + ms, action };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  }

  async pass(ms: number): Promise<void> {
    const until = this.ms + ms;
    for (;;) {
      await settle();
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.ms = next.at;
      this.timers = this.timers.filter((timer) => timer !== next);
      next.action();
    }
    this.ms = until;
    await settle();
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function start(attempt: Attempt) {
  const world = new TestWorld();
  const said: Connection[] = [];
  const reconnector = new Reconnector(attempt, (connection) => said.push(connection), world);
  const running = reconnector.run();
  const kinds = () => said.map((connection) => connection.kind);
  return { world, said, kinds, reconnector, end: () => (reconnector.stop(), running) };
}

const untilAborted = (signal: AbortSignal) => new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("waits grow from half a second to ten, spread by a quarter", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 20].map((n) => waitAfter(n, 0.5)), [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.equal(waitAfter(1, 0), 375);
  assert.equal(waitAfter(1, 1), 625);
});

test("a failure is said at once and mended after the wait", async () => {
  let tries = 0;
  const { world, said, kinds, end } = start(async (signal, alive) => {
    tries += 1;
    if (tries < 3) throw new Error("refused");
    alive();
    await untilAborted(signal);
  });
  await world.pass(0);
  assert.deepEqual(kinds(), ["connecting", "lost"]);
  assert.deepEqual(said[1], { kind: "lost", retryAtMs: 500 });
  await world.pass(500);
  assert.deepEqual(said.at(-1), { kind: "lost", retryAtMs: 1500 });
  await world.pass(1000);
  assert.deepEqual(kinds(), ["connecting", "lost", "connecting", "lost", "connecting", "live"]);
  await end();
});

test("silence is a loss, and a message puts it off", async () => {
  let live: () => void = () => {};
  const { world, kinds, end } = start(async (signal, alive) => {
    live = alive;
    alive();
    await untilAborted(signal);
  });
  await world.pass(SILENCE_MS - 1);
  live();
  await world.pass(SILENCE_MS - 1);
  assert.equal(kinds().at(-1), "live");
  await world.pass(1);
  assert.equal(kinds().at(-1), "lost");
  await end();
});

test("an end in good order is gone over without a wait", async () => {
  let finish: () => void = () => {};
  const { world, kinds, end } = start(async (_, alive) => {
    alive();
    await new Promise<void>((resolve) => (finish = resolve));
  });
  await world.pass(2000);
  finish();
  await world.pass(0);
  assert.deepEqual(kinds(), ["connecting", "live", "connecting", "live"]);
  finish();
  await world.pass(0);
  assert.equal(kinds().at(-1), "lost", "one that ends at once is no good connection, however politely it ends");
  await world.pass(500);
  const ended = end();
  finish();
  await ended;
});

test("an end before any message waits, so that an empty server is not stormed", async () => {
  let tries = 0;
  const { world, kinds, end } = start(async () => void (tries += 1));
  await world.pass(0);
  assert.equal(tries, 1);
  assert.equal(kinds().at(-1), "lost");
  await end();
});

test("the wait can be cut short", async () => {
  let tries = 0;
  const { world, reconnector, end } = start(async () => {
    tries += 1;
    throw new Error("refused");
  });
  await world.pass(0);
  reconnector.retryNow();
  await world.pass(0);
  assert.equal(tries, 2);
  await end();
});

test("a pause gives the connection back, and the end of it is no loss", async () => {
  let open = 0;
  const { world, kinds, reconnector, end } = start(async (signal, alive) => {
    open += 1;
    alive();
    await untilAborted(signal).finally(() => (open -= 1));
  });
  await world.pass(0);
  reconnector.pause();
  await world.pass(60_000);
  assert.equal(open, 0);
  assert.ok(!kinds().includes("lost"));
  reconnector.resume();
  await world.pass(0);
  assert.equal(open, 1);
  await end();
});
