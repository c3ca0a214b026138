import assert from "node:assert/strict";
import { test } from "node:test";
import { EventType } from "../../src/gen/luong/v1/events_pb.js";
import { RoadClass } from "../../src/gen/luong/v1/network_pb.js";
import { QualityFlag, VehicleClass } from "../../src/gen/luong/v1/reading_pb.js";
import { Source } from "../../src/gen/luong/v1/state_pb.js";
import { Speech } from "../../src/speech.js";
import { LANGUAGES, WORDS, languageFor } from "../../src/words.js";

const count = (numbers: object) => Object.values(numbers).filter((value) => typeof value === "number").length;

test("both languages have the same texts", () => {
  assert.deepEqual(Object.keys(WORDS.en), Object.keys(WORDS.vi));
  for (const key of Object.keys(WORDS.vi) as (keyof typeof WORDS.vi)[]) {
    const [vi, en] = [WORDS.vi[key], WORDS.en[key]];
    assert.equal(typeof en, typeof vi, key);
    if (Array.isArray(vi)) assert.equal((en as string[]).length, vi.length, key);
    if (typeof vi === "function") assert.equal((en as unknown as { length: number }).length, (vi as { length: number }).length, key);
  }
  assert.deepEqual(Object.keys(WORDS.en.qualityFlags), Object.keys(WORDS.vi.qualityFlags));
});

test("every value of the wire's enums has a word", () => {
  for (const language of LANGUAGES) {
    const words = WORDS[language];
    assert.equal(words.roadClasses.length, count(RoadClass));
    assert.equal(words.eventTypes.length, count(EventType));
    assert.equal(words.sources.length, count(Source));
    assert.equal(words.vehicleClasses.length, count(VehicleClass));
    assert.equal(Object.keys(words.qualityFlags).length, count(QualityFlag) - 1);
    assert.equal(words.levels.length, 7);
  }
});

test("no text is empty and none is left in the other language", () => {
  const same = Object.keys(WORDS.vi).filter((key) => {
    const [vi, en] = [WORDS.vi, WORDS.en].map((words) => words[key as keyof typeof words]);
    assert.notEqual(vi, "", key);
    return typeof vi === "string" && vi === en;
  });
  // Units that both write alike.
  assert.deepEqual(same, ["kmh", "metres", "kilometres"]);
});

test("the browser's first language that the page speaks is taken", () => {
  assert.equal(languageFor(["fr-FR", "vi-VN", "en"]), "vi");
  assert.equal(languageFor(["en-US", "vi"]), "en");
  assert.equal(languageFor(["ja"]), "en");
});

test("what is absent is not known, and 0 is 0", () => {
  const en = new Speech("en");
  assert.equal(en.value(undefined, "km/h"), "not known");
  assert.equal(en.value(Number.NaN, "km/h"), "not known");
  assert.equal(en.value(0, "km/h"), "0 km/h");
  assert.equal(en.span(undefined), "not known");
  assert.equal(en.length(undefined), "not known");
  assert.equal(new Speech("vi").value(undefined, "km/h"), "chưa biết");
});

test("numbers, spans and lengths are written as the language does", () => {
  const [vi, en] = [new Speech("vi"), new Speech("en")];
  assert.equal(vi.value(1234.5, "xe/km", 1), "1.234,5 xe/km");
  assert.equal(en.value(1234.5, "veh/km", 1), "1,234.5 veh/km");
  assert.equal(en.span(42), "42 s");
  assert.equal(en.span(600), "10 min");
  assert.equal(en.span(3 * 86400), "3 d");
  assert.equal(en.length(430), "430 m");
  assert.equal(en.length(1430), "1.4 km");
});
