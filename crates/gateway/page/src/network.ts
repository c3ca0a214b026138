/** The road network as the page holds it: links by index, so that states and map features need no strings. */

import type { Link } from "./gen/luong/v1/network_pb.js";
import { RoadClass } from "./gen/luong/v1/network_pb.js";

export type LonLat = [lon: number, lat: number];

export interface Road {
  readonly link: Link;
  readonly vertices: readonly LonLat[];
  /** Another link runs the other way between the same two junctions. */
  readonly twoWay: boolean;
}

export class Network {
  private readonly indexes = new Map<string, number>();

  constructor(
    readonly version: string,
    readonly roads: readonly Road[],
    /** What it is called; says when it is a schematic or made up. May be empty. */
    readonly title = "",
  ) {
    roads.forEach((road, index) => this.indexes.set(road.link.linkId, index));
  }

  static readonly empty = new Network("", []);

  indexOf(linkId: string): number | undefined {
    return this.indexes.get(linkId);
  }

  road(linkId: string): Road | undefined {
    const index = this.indexes.get(linkId);
    return index === undefined ? undefined : this.roads[index];
  }
}

export function networkOf(version: string, links: readonly Link[], title = ""): Network {
  const directions = new Set(links.map((link) => `${link.fromNodeId}\n${link.toNodeId}`));
  const roads = links.map((link) => ({
    link,
    vertices: verticesOf(link.geometry),
    twoWay: link.fromNodeId !== link.toNodeId && directions.has(`${link.toNodeId}\n${link.fromNodeId}`),
  }));
  return new Network(version, roads, title);
}

/** Ids as the importer gives them to ways of OpenStreetMap, whose licence asks to be named where its map is shown. */
export function isFromOpenStreetMap(network: Network): boolean {
  return network.roads.some(({ link }) => /^w\d+\.\d+[fb]$/.test(link.linkId));
}

/** Undoes the wire's delta coding: pairs of lon and lat in 1e-7 degrees, each a difference to the pair before. */
export function verticesOf(deltas: readonly number[]): LonLat[] {
  const vertices: LonLat[] = [];
  let lon = 0;
  let lat = 0;
  for (let i = 0; i + 1 < deltas.length; i += 2) {
    lon += deltas[i]!;
    lat += deltas[i + 1]!;
    vertices.push([lon / 1e7, lat / 1e7]);
  }
  return vertices;
}

/** The smallest box around some roads: west, south, east, north; undefined where there is no vertex. */
export function boundsOf(roads: Iterable<Road>): [number, number, number, number] | undefined {
  let box: [number, number, number, number] | undefined;
  for (const { vertices } of roads) {
    for (const [lon, lat] of vertices) {
      box ??= [lon, lat, lon, lat];
      box = [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
    }
  }
  return box;
}

/** Where most of the roads are: without the few that run far out, at which a whole city would be drawn too small. */
export function coreOf(roads: readonly Road[]): [number, number, number, number] | undefined {
  const all = boundsOf(roads);
  const middles = roads.map(({ vertices }) => vertices[vertices.length >> 1]).filter((vertex) => vertex !== undefined);
  if (!all || middles.length === 0) return all;
  const [west, east] = middlePart(middles.map(([lon]) => lon));
  const [south, north] = middlePart(middles.map(([, lat]) => lat));
  return [Math.max(all[0], west), Math.max(all[1], south), Math.min(all[2], east), Math.min(all[3], north)];
}

/** From the 8th to the 92nd hundredth, and a good bit of room beside: of what is evenly spread, that is all. */
function middlePart(values: number[]): [number, number] {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const [low, high] = [at(0.08), at(0.92)];
  const room = 0.15 * (high - low);
  return [low - room, high + room];
}

/** The compass point that a road heads for, 0 = north, clockwise in eighths. */
export function headingEighth(vertices: readonly LonLat[]): number {
  const [lon0, lat0] = vertices[0] ?? [0, 0];
  const [lon1, lat1] = vertices[vertices.length - 1] ?? [0, 0];
  const east = (lon1 - lon0) * Math.cos((lat0 * Math.PI) / 180);
  const turn = Math.atan2(east, lat1 - lat0) / (Math.PI / 4);
  return ((Math.round(turn) % 8) + 8) % 8;
}

/** How wide a class is drawn, relative to a residential street. */
export function drawnWidth(roadClass: RoadClass): number {
  switch (roadClass) {
    case RoadClass.MOTORWAY:
    case RoadClass.TRUNK:
      return 2.6;
    case RoadClass.PRIMARY:
      return 2.2;
    case RoadClass.SECONDARY:
      return 1.8;
    case RoadClass.TERTIARY:
      return 1.4;
    case RoadClass.SERVICE:
    case RoadClass.ALLEY:
      return 0.7;
    default:
      return 1;
  }
}

/** Names look alike whatever their accents and case: "Tran Phu" finds "Trần Phú". */
export function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase();
}

/** Finds links by a piece of their road's name or by their id, at most `limit`, one for each name and direction. */
export function findRoads(network: Network, query: string, limit: number): number[] {
  const wanted = plain(query.trim());
  if (wanted === "") return [];
  const found: number[] = [];
  const seen = new Set<string>();
  for (const [index, { link, vertices }] of network.roads.entries()) {
    if (found.length === limit) break;
    if (link.linkId.toLowerCase() === wanted) return [index];
    if (link.name === "" || !plain(link.name).includes(wanted)) continue;
    const key = `${link.name}\n${headingEighth(vertices)}`;
    if (seen.has(key)) continue;
    seen.add(key);
    found.push(index);
  }
  return found;
}
