/** A made-up grid city for the page's tests: no real place, every number chosen so that a test can know it. */

import { create } from "@bufbuild/protobuf";
import { LinkSchema, RoadClass } from "../src/gen/luong/v1/network_pb.js";
import type { Link } from "../src/gen/luong/v1/network_pb.js";

const WEST = 106.64;
const SOUTH = 20.83;
const BLOCK_DEG = 0.003;
const NAMES = ["Trần Phú", "Điện Biên Phủ", "Lạch Tray", "Tô Hiệu", "Văn Cao", "Lê Hồng Phong", "Nguyễn Bỉnh Khiêm", "Hùng Vương"];

/** A grid of `size` x `size` junctions, each pair of neighbours joined by two links; about 4 x size² links. */
export function gridCity(size: number): Link[] {
  const links: Link[] = [];
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (column + 1 < size) links.push(...bothWays([row, column], [row, column + 1], row));
      if (row + 1 < size) links.push(...bothWays([row, column], [row + 1, column], column + 3));
    }
  }
  return links;
}

type Junction = readonly [row: number, column: number];

function bothWays(a: Junction, b: Junction, street: number): Link[] {
  return [link(a, b, street), link(b, a, street)];
}

function link(from: Junction, to: Junction, street: number): Link {
  const great = street % 6 === 0;
  const middling = street % 3 === 0;
  return create(LinkSchema, {
    linkId: `${nodeId(from)}-${nodeId(to)}`,
    fromNodeId: nodeId(from),
    toNodeId: nodeId(to),
    name: great || middling ? (NAMES[street % NAMES.length] ?? "") : "",
    roadClass: great ? RoadClass.PRIMARY : middling ? RoadClass.SECONDARY : street % 2 === 0 ? RoadClass.TERTIARY : RoadClass.RESIDENTIAL,
    lengthM: 312,
    lanes: great ? 3 : 1,
    widthM: great ? 10.5 : 4,
    speedLimitKmh: great ? 60 : 40,
    lanesDefault: !great,
    allowedClasses: 0b110111010,
    geometry: deltas([position(from), middle(from, to), position(to)]),
  });
}

function nodeId([row, column]: Junction): string {
  return `n${row}.${column}`;
}

function position([row, column]: Junction): [number, number] {
  const wave = 0.0009;
  return [
    WEST + column * BLOCK_DEG + wave * Math.sin(row * 0.9) + wave * 0.5 * Math.sin(column * 2.1),
    SOUTH + row * BLOCK_DEG + wave * Math.sin(column * 0.7) + wave * 0.5 * Math.cos(row * 1.7),
  ];
}

function middle(a: Junction, b: Junction): [number, number] {
  const [[x0, y0], [x1, y1]] = [position(a), position(b)];
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

export function deltas(vertices: readonly (readonly [number, number])[]): number[] {
  let before: [number, number] = [0, 0];
  return vertices.flatMap(([lon, lat]) => {
    const now: [number, number] = [Math.round(lon * 1e7), Math.round(lat * 1e7)];
    const step = [now[0] - before[0], now[1] - before[1]];
    before = now;
    return step;
  });
}
