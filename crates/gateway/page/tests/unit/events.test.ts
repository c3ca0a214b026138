import assert from "node:assert/strict";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EventStore } from "../../src/events.js";
import { EventChange, EventType } from "../../src/gen/luong/v1/events_pb.js";
import { trafficEvent } from "../mock.js";

const ids = (store: EventStore, order: "worst" | "newest" = "newest") => store.open(order).map((event) => event.id);
const at = (minute: number) => ({ openedAt: timestampFromMs(minute * 60_000) });

test("an event is open until it is cleared", () => {
  const store = new EventStore();
  store.apply(trafficEvent("a", at(1)));
  store.apply(trafficEvent("b", at(2)));
  assert.deepEqual(ids(store), ["b", "a"]);
  store.apply(trafficEvent("a", { revision: 2, change: EventChange.CLEARED }));
  assert.deepEqual(ids(store), ["b"]);
});

test("an older revision says nothing, however late it comes", () => {
  const store = new EventStore();
  store.begin();
  store.apply(trafficEvent("a", { revision: 3, change: EventChange.CLEARED }));
  store.apply(trafficEvent("a", { revision: 2, queueM: 90 }));
  store.reconcile([trafficEvent("a", { revision: 2 })]);
  assert.deepEqual(ids(store), []);
});

test("what was cleared while the page was away is gone after the list", () => {
  const store = new EventStore();
  store.apply(trafficEvent("gone", {}));
  store.apply(trafficEvent("stays", {}));
  store.begin();
  store.apply(trafficEvent("new", {}));
  store.reconcile([trafficEvent("stays", {}), trafficEvent("listed", {})]);
  assert.deepEqual(new Set(ids(store)), new Set(["stays", "new", "listed"]));
});

test("worst first is incidents, then what delays most; faulty sensors come last", () => {
  const store = new EventStore();
  store.apply(trafficEvent("sensor", { type: EventType.SENSOR_FAULT }));
  store.apply(trafficEvent("short", { queueM: 100, delayVehH: 1 }));
  store.apply(trafficEvent("long", { queueM: 900, delayVehH: 1 }));
  store.apply(trafficEvent("costly", { queueM: 50, delayVehH: 9 }));
  store.apply(trafficEvent("crash", { type: EventType.INCIDENT }));
  assert.deepEqual(ids(store, "worst"), ["crash", "costly", "long", "short", "sensor"]);
});

test("the token of the newest change is kept", () => {
  const store = new EventStore();
  store.apply(trafficEvent("a", { resumeToken: "1" }));
  store.apply(trafficEvent("b", {}));
  assert.equal(store.resumeToken, "1");
});
