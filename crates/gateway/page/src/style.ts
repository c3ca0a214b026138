/** What the map draws, layer by layer. No tiles, no sprites, no fonts from anywhere: names are set in the system's own. */

import type { ExpressionSpecification, StyleSpecification } from "maplibre-gl";
import { RoadClass } from "./gen/luong/v1/network_pb.js";
import { drawnWidth } from "./network.js";
import type { Network, Road } from "./network.js";
import { PALETTES } from "./palette.js";
import type { Theme } from "./palette.js";

export const LINKS = "links";
export const CHOSEN = "chosen";
export const HEADS = "heads";

const EMPTY = { type: "FeatureCollection" as const, features: [] };

/** Pixels of a residential street at some zooms; between them it grows exponentially, as roads on a screen do. */
const WIDTHS: readonly (readonly [zoom: number, px: number])[] = [
  [9, 0.5],
  [12, 1.1],
  [14, 2],
  [16, 4.4],
  [18, 10],
];

const level: ExpressionSpecification = ["coalesce", ["feature-state", "level"], 0];
const estimated: ExpressionSpecification = ["coalesce", ["feature-state", "estimated"], false];
const stale: ExpressionSpecification = ["coalesce", ["feature-state", "stale"], false];

function byZoom(px: (atZoom: number) => ExpressionSpecification): ExpressionSpecification {
  const stops = WIDTHS.flatMap(([zoom, width]) => [zoom, px(width)]);
  return ["interpolate", ["exponential", 1.5], ["zoom"], ...stops] as unknown as ExpressionSpecification;
}

/** What is not known is drawn thin: it must not hide what is. */
const lineWidth = byZoom((px) => ["*", px, ["get", "width"], ["case", ["==", level, 0], 0.6, 1]]);
const gapWidth = byZoom((px) => ["+", 0.8, ["*", px, ["get", "width"]]]);
const chosenGap = byZoom((px) => ["+", 1, ["*", px, ["get", "width"]]]);

/** The two directions of a road lie side by side, each to the right of the middle. */
const lineOffset = byZoom((px) => ["case", ["get", "twoWay"], ["+", 0.4, ["*", 0.5 * px, ["get", "width"]]], 0]);

/** Small streets come into view as one comes near. */
const inView = ["any", ["<=", ["get", "class"], RoadClass.TERTIARY], [">=", ["zoom"], 12]] as unknown as ExpressionSpecification;

function levelColour(theme: Theme): ExpressionSpecification {
  const [none, ...levels] = PALETTES[theme].levels;
  return ["match", level, ...levels.flatMap((colour, i) => [i + 1, colour]), none] as unknown as ExpressionSpecification;
}

function eventColour(theme: Theme): ExpressionSpecification {
  const [other, ...types] = PALETTES[theme].events;
  return ["match", ["get", "type"], ...types.flatMap((colour, i) => [i + 1, colour]), other] as unknown as ExpressionSpecification;
}

export interface Paint {
  readonly layer: string;
  readonly property: "background-color" | "line-color" | "text-color" | "text-halo-color" | "circle-color" | "circle-stroke-color";
  readonly value: string | ExpressionSpecification;
}

/** The paint that depends on the theme. */
export function paintOf(theme: Theme): Paint[] {
  const palette = PALETTES[theme];
  return [
    { layer: "ground", property: "background-color", value: palette.ground },
    { layer: "chosen", property: "line-color", value: palette.selection },
    { layer: "links", property: "line-color", value: levelColour(theme) },
    { layer: "gaps", property: "line-color", value: palette.ground },
    { layer: "names", property: "text-color", value: palette.label },
    { layer: "names", property: "text-halo-color", value: palette.ground },
    { layer: "heads", property: "circle-color", value: eventColour(theme) },
    { layer: "heads", property: "circle-stroke-color", value: palette.ground },
  ];
}

export function styleFor(theme: Theme): StyleSpecification {
  const colours = new Map<string, Record<string, unknown>>();
  for (const { layer, property, value } of paintOf(theme)) colours.set(layer, { ...colours.get(layer), [property]: value });
  const paint = (layer: string) => colours.get(layer) ?? {};
  const sorted = { "line-sort-key": ["get", "rank"], "line-join": "round" };
  return {
    version: 8,
    sources: {
      [LINKS]: { type: "geojson", data: EMPTY, tolerance: 0.3, buffer: 64, maxzoom: 16 },
      [CHOSEN]: { type: "geojson", data: EMPTY },
      [HEADS]: { type: "geojson", data: EMPTY },
    },
    layers: [
      { id: "ground", type: "background", paint: paint("ground") },
      {
        id: "links",
        type: "line",
        source: LINKS,
        filter: inView,
        layout: { ...sorted, "line-cap": "round" },
        paint: {
          ...paint("links"),
          "line-width": lineWidth,
          "line-offset": lineOffset,
          "line-opacity": ["case", stale, 0.35, 1],
        },
      },
      {
        // Dashes can't follow feature state, their opacity can: gaps in the ground's colour lie over every link and
        // show only on those that are estimated.
        id: "gaps",
        type: "line",
        source: LINKS,
        filter: inView,
        layout: { ...sorted, "line-cap": "butt" },
        paint: {
          ...paint("gaps"),
          "line-width": gapWidth,
          "line-offset": lineOffset,
          "line-dasharray": [0.8, 1.8],
          "line-opacity": ["case", estimated, 1, 0],
        },
      },
      {
        // Two strokes, one on each side of what is chosen, so that its colour stays to be seen.
        id: "chosen",
        type: "line",
        source: CHOSEN,
        layout: { "line-join": "round" },
        paint: { ...paint("chosen"), "line-width": 2.5, "line-gap-width": chosenGap, "line-offset": lineOffset },
      },
      {
        id: "names",
        type: "symbol",
        source: LINKS,
        minzoom: 12,
        filter: ["all", ["get", "named"], ["<=", ["get", "class"], ["step", ["zoom"], RoadClass.SECONDARY, 14, RoadClass.TERTIARY, 15, RoadClass.ALLEY]]] as unknown as ExpressionSpecification,
        layout: {
          "symbol-placement": "line",
          "symbol-spacing": 320,
          "text-field": ["get", "name"],
          "text-font": ["sans-serif"],
          "text-size": ["interpolate", ["linear"], ["zoom"], 12, 10.5, 17, 13],
          "text-max-angle": 35,
          "text-padding": 6,
        },
        paint: { ...paint("names"), "text-halo-width": 1.6 },
      },
      {
        id: "heads",
        type: "circle",
        source: HEADS,
        layout: { "circle-sort-key": ["get", "type"] },
        paint: { ...paint("heads"), "circle-radius": ["match", ["get", "type"], 4, 3.5, 6], "circle-stroke-width": 2 },
      },
    ],
  } as StyleSpecification;
}

export function lineFeature(road: Road, index: number) {
  const { link, vertices, twoWay } = road;
  return {
    type: "Feature" as const,
    id: index,
    properties: {
      class: link.roadClass,
      width: drawnWidth(link.roadClass),
      // Greater roads above smaller ones.
      rank: RoadClass.ALLEY - link.roadClass,
      twoWay,
      name: link.name.normalize("NFC"),
      // One name for the two directions of a road.
      named: link.name !== "" && (!twoWay || link.fromNodeId < link.toNodeId),
    },
    geometry: { type: "LineString" as const, coordinates: vertices as [number, number][] },
  };
}

export function linkFeatures(network: Network) {
  return { type: "FeatureCollection" as const, features: network.roads.map(lineFeature) };
}
