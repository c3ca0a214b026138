import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LevelOfService, LinkStateSchema, Source, StateUpdateSchema, StateUpdate_Kind } from "../../src/gen/luong/v1/state_pb.js";
import type { LinkState } from "../../src/gen/luong/v1/state_pb.js";
import { networkOf } from "../../src/network.js";
import { stateRows } from "../../src/rows.js";
import { Speech } from "../../src/speech.js";
import { LevelCounts, STALE_AFTER_S, StateStore, UNKNOWN, ageSeconds, appearanceOf } from "../../src/states.js";
import { gridCity } from "../city.js";
import { observed } from "../mock.js";

const network = networkOf("v", gridCity(3));
const ids = network.roads.map((road) => road.link.linkId);
const T0 = Date.UTC(2026, 10, 22, 7, 0);

const state = (linkId: string, level: LevelOfService, more: object = {}): LinkState =>
  create(LinkStateSchema, { linkId, validAt: timestampFromMs(T0), ...observed(level), ...more });

const update = (kind: StateUpdate_Kind, states: LinkState[], complete = true, resumeToken = "t") =>
  create(StateUpdateSchema, { kind, states, complete, resumeToken: complete ? resumeToken : "" });

test("a snapshot is whole only with its last part, and forgets what was there", () => {
  const store = new StateStore(network);
  store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[0]!, 1)]));
  assert.ok(store.whole);
  const touched = store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[1]!, 2)], false));
  assert.ok(!store.whole);
  assert.equal(store.resumeToken, "", "a token from before the snapshot would skip what it brings");
  assert.deepEqual(touched, [0, 1], "the link that lost its state is painted anew too");
  store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[2]!, 3)], true, "next"));
  assert.ok(store.whole);
  assert.equal(store.resumeToken, "next");
  assert.equal(store.of(0), undefined);
  assert.equal(store.of(1)?.levelOfService, LevelOfService.B, "parts of one snapshot add up");
});

test("a snapshot that broke off is begun anew by the next", () => {
  const store = new StateStore(network);
  store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[0]!, 1)], false));
  store.brokenOff();
  store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[1]!, 2)]));
  assert.equal(store.of(0), undefined);
  assert.ok(store.whole);
});

test("deltas and resumed answers change only what they name", () => {
  const store = new StateStore(network);
  store.apply(update(StateUpdate_Kind.SNAPSHOT, [state(ids[0]!, 1), state(ids[1]!, 1)]));
  assert.deepEqual(store.apply(update(StateUpdate_Kind.DELTA, [state(ids[1]!, 6)], true, "d")), [1]);
  assert.deepEqual(store.apply(update(StateUpdate_Kind.RESUMED, [state(ids[0]!, 4)], false)), [0]);
  assert.equal(store.resumeToken, "d", "only a whole answer moves the token");
  assert.equal(store.of(1)?.levelOfService, LevelOfService.F);
});

test("links that the network does not have are counted, not kept", () => {
  const store = new StateStore(network);
  assert.deepEqual(store.apply(update(StateUpdate_Kind.SNAPSHOT, [state("elsewhere", 1)])), []);
  assert.equal(store.unknownLinks, 1);
});

test("nothing known is drawn as not known", () => {
  assert.deepEqual(appearanceOf(undefined, T0), UNKNOWN);
  assert.deepEqual(appearanceOf(state("a", 3, { source: Source.NONE }), T0), UNKNOWN);
  assert.deepEqual(appearanceOf(state("a", 0 as LevelOfService, { levelOfService: 0 }), T0), UNKNOWN);
});

test("estimated and usual states are told from measured ones", () => {
  assert.deepEqual(appearanceOf(state("a", 5), T0), { level: 5, estimated: false, stale: false });
  assert.equal(appearanceOf(state("a", 5, { source: Source.ESTIMATED }), T0).estimated, true);
  assert.equal(appearanceOf(state("a", 5, { source: Source.PROFILE }), T0).estimated, true);
});

test("a state grows stale though no message comes", () => {
  const measured = state("a", 2, { ageS: 10 });
  assert.equal(ageSeconds(measured, T0 + 5000), 15);
  assert.equal(appearanceOf(measured, T0 + (STALE_AFTER_S - 11) * 1000).stale, false);
  assert.equal(appearanceOf(measured, T0 + (STALE_AFTER_S - 9) * 1000).stale, true);
  assert.equal(appearanceOf(state("a", 2, { ageS: undefined }), T0 + 1e9).stale, false, "an age that is not known is not an old one");
});

test("absent stays absent over the wire and is said to be not known", () => {
  const bare = fromBinary(LinkStateSchema, toBinary(LinkStateSchema, create(LinkStateSchema, { linkId: "a", speedKmh: 0 })));
  assert.equal(bare.speedKmh, 0);
  assert.equal(bare.flowVph, undefined);
  const rows = new Map(stateRows(bare, T0, new Speech("en")).map(([term, value]) => [term, value]));
  assert.equal(rows.get("Speed"), "0 km/h");
  for (const term of ["Flow", "Density", "Travel time", "Delay", "Queue length", "Congested", "Newest observation"]) {
    assert.equal(rows.get(term), "not known", term);
  }
});

test("a link without a state has every figure not known", () => {
  const values = stateRows(undefined, T0, new Speech("vi")).map(([, value]) => value);
  assert.ok(values.every((value) => value.startsWith("chưa biết")), values.join(", "));
});

test("levels are counted as they change", () => {
  const levels = new LevelCounts(3);
  levels.set(0, 6);
  levels.set(1, 2);
  levels.set(0, 2);
  levels.set(2, 0);
  assert.deepEqual(levels.counts, [1, 0, 2, 0, 0, 0, 0]);
  assert.equal(levels.known, 2);
});
