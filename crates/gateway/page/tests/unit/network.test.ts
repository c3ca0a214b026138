import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LinkSchema } from "../../src/gen/luong/v1/network_pb.js";
import { boundsOf, coreOf, findRoads, headingEighth, isFromOpenStreetMap, networkOf, plain, verticesOf } from "../../src/network.js";
import { deltas, gridCity } from "../city.js";

const link = (linkId: string, from: string, to: string, name = "") =>
  create(LinkSchema, { linkId, fromNodeId: from, toNodeId: to, name, geometry: deltas([[106.68, 20.86], [106.69, 20.86]]) });

test("geometry is the sum of its differences", () => {
  assert.deepEqual(verticesOf([1066800000, 208600000, 10000, -20000, 0, 5]), [
    [106.68, 20.86],
    [106.681, 20.858],
    [106.681, 20.8580005],
  ]);
  assert.deepEqual(verticesOf([]), []);
  assert.deepEqual(verticesOf([5]), [], "half a pair is no vertex");
});

test("what is written as differences is read back", () => {
  const line: [number, number][] = [[106.6412345, 20.8301234], [106.65, 20.84], [106.6499999, 20.8400001]];
  assert.deepEqual(verticesOf(deltas(line)), line);
});

test("a road is two-way where another link runs back", () => {
  const network = networkOf("v", [link("a", "1", "2"), link("b", "2", "1"), link("c", "2", "3"), link("loop", "4", "4")]);
  assert.deepEqual(network.roads.map((road) => road.twoWay), [true, true, false, false]);
  assert.equal(network.indexOf("c"), 2);
  assert.equal(network.indexOf("nowhere"), undefined);
});

test("headings are eighths clockwise from north", () => {
  assert.equal(headingEighth([[0, 0], [0, 1]]), 0);
  assert.equal(headingEighth([[0, 0], [1, 0]]), 2);
  assert.equal(headingEighth([[0, 0], [0, -1]]), 4);
  assert.equal(headingEighth([[0, 0], [-1, 0]]), 6);
  assert.equal(headingEighth([[0, 0], [-1, 1]]), 7);
  assert.equal(headingEighth([]), 0);
});

test("the bounds hold every vertex, and of nothing there are none", () => {
  const network = networkOf("v", [link("a", "1", "2")]);
  assert.deepEqual(boundsOf(network.roads), [106.68, 20.86, 106.69, 20.86]);
  assert.equal(boundsOf([]), undefined);
});

test("the core leaves out what runs far away, and is all of an even city", () => {
  const city = gridCity(12);
  const even = networkOf("v", city);
  assert.deepEqual(coreOf(even.roads), boundsOf(even.roads));
  const far = create(LinkSchema, { linkId: "far", geometry: deltas([[107.5, 20.5], [108, 20]]) });
  const [, , east] = coreOf(networkOf("v", [...city, far]).roads)!;
  assert.ok(east < 106.7, String(east));
  assert.equal(coreOf([]), undefined);
});

test("roads are found without accents, once for each direction, and by id", () => {
  assert.equal(plain("Điện Biên Phủ"), "dien bien phu");
  const city = networkOf("v", gridCity(10));
  const found = findRoads(city, "tran phu", 8).map((index) => city.roads[index]!.link.name);
  assert.ok(found.length >= 2 && found.length <= 8);
  assert.deepEqual(new Set(found), new Set(["Trần Phú"]));
  assert.deepEqual(findRoads(city, "n0.0-n0.1", 8), [city.indexOf("n0.0-n0.1")]);
  assert.deepEqual(findRoads(city, "  ", 8), []);
});

test("links with the importer's ids of OpenStreetMap are known as such", () => {
  assert.ok(isFromOpenStreetMap(networkOf("v", [link("w123.0f", "1", "2")])));
  assert.ok(!isFromOpenStreetMap(networkOf("v", gridCity(2))));
});
