/** The map: our own network, drawn by MapLibre without any tile server, coloured by feature state. */

import { Map as MapLibre, setWorkerUrl } from "maplibre-gl";
import type { GeoJSONSource, PointLike, StyleSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import type { EventType } from "./gen/luong/v1/events_pb.js";
import { boundsOf, coreOf, Network } from "./network.js";
import type { LonLat, Road } from "./network.js";
import type { Theme } from "./palette.js";
import { HEADS, LINKS, CHOSEN, linkFeatures, lineFeature, paintOf, styleFor } from "./style.js";
import { UNKNOWN, sameAppearance } from "./states.js";
import type { Appearance } from "./states.js";

setWorkerUrl(workerUrl);

/** A mark on the map where an event is. */
export interface EventMark {
  readonly id: string;
  readonly type: EventType;
  readonly at: LonLat;
}

export interface Picks {
  link(index: number): void;
  event(id: string): void;
  nothing(): void;
}

const PICK_RADII_PX = [0, 3, 7];
const FIT = { padding: 48, maxZoom: 15.5 };

export class CityMap {
  private readonly map: MapLibre;
  private network = Network.empty;
  private painted: Appearance[] = [];
  private readonly pending = new Map<number, Appearance>();
  private frame: number | undefined;
  private styled = false;

  /** @throws Error where the browser has no WebGL. */
  constructor(container: HTMLElement, theme: Theme, picks: Picks) {
    this.map = new MapLibre({
      container,
      style: styleFor(theme) as StyleSpecification,
      center: [106.68, 20.86],
      zoom: 11,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      fadeDuration: 150,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.once("load", () => {
      this.styled = true;
      this.drawNetwork();
      this.drawMarks();
      this.drawChosen();
    });
    this.listen(picks);
  }

  setNetwork(network: Network): void {
    this.network = network;
    this.painted = network.roads.map(() => UNKNOWN);
    this.pending.clear();
    this.chosen = [];
    if (this.styled) this.drawNetwork();
    this.fit(coreOf(network.roads));
  }

  /** Paints a link at the next frame; many changes of one link between two frames cost one. */
  paint(index: number, appearance: Appearance): void {
    this.pending.set(index, appearance);
    if (this.styled) this.frame ??= requestAnimationFrame(() => this.flush());
  }

  setTheme(theme: Theme): void {
    if (!this.styled) {
      this.map.once("load", () => this.setTheme(theme));
      return;
    }
    for (const { layer, property, value } of paintOf(theme)) {
      this.map.setPaintProperty(layer, property, value as never);
    }
  }

  setMarks(marks: readonly EventMark[]): void {
    this.marks = marks;
    if (this.styled) this.drawMarks();
  }

  choose(indexes: readonly number[]): void {
    this.chosen = indexes;
    if (this.styled) this.drawChosen();
  }

  flyTo(indexes: readonly number[]): void {
    const box = boundsOf(indexes.map((index) => this.network.roads[index]).filter((road): road is Road => !!road));
    if (box) this.map.fitBounds(box, { ...FIT, duration: calm() ? 0 : 700 });
  }

  wholeCity(): void {
    this.fit(boundsOf(this.network.roads));
  }

  private fit(box: [number, number, number, number] | undefined): void {
    if (!box) return;
    // Beside the legend where there is room for both.
    const wide = this.map.getContainer().clientWidth > 700;
    this.map.fitBounds(box, { ...FIT, padding: { top: 24, bottom: 40, right: 60, left: wide ? 300 : 24 }, duration: 0 });
  }

  zoomBy(steps: number): void {
    this.map.easeTo({ zoom: this.map.getZoom() + steps, duration: calm() ? 0 : 200 });
  }

  describe(text: string): void {
    this.map.getCanvas().setAttribute("aria-label", text);
  }

  /** How a link is painted on the map at this moment. */
  paintedAs(index: number): Appearance {
    return this.painted[index] ?? UNKNOWN;
  }

  /** Where a link's middle vertex is, in CSS pixels from the map's top left. */
  pointOf(index: number): [x: number, y: number] | undefined {
    const vertices = this.network.roads[index]?.vertices;
    if (!vertices || vertices.length < 2) return undefined;
    const middle = vertices.length / 2;
    const a = vertices[Math.ceil(middle) - 1]!;
    const b = vertices[Math.floor(middle)]!;
    const { x, y } = this.map.project([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    return [x, y];
  }

  private marks: readonly EventMark[] = [];
  private chosen: readonly number[] = [];

  private drawNetwork(): void {
    this.map.removeFeatureState({ source: LINKS });
    (this.map.getSource(LINKS) as GeoJSONSource).setData(linkFeatures(this.network));
    this.painted = this.network.roads.map(() => UNKNOWN);
    if (this.pending.size > 0) this.frame ??= requestAnimationFrame(() => this.flush());
  }

  private drawMarks(): void {
    const features = this.marks.map(({ id, type, at }) => ({
      type: "Feature" as const,
      properties: { id, type },
      geometry: { type: "Point" as const, coordinates: at },
    }));
    (this.map.getSource(HEADS) as GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  private drawChosen(): void {
    const features = this.chosen.flatMap((index) => {
      const road = this.network.roads[index];
      return road ? [lineFeature(road, index)] : [];
    });
    (this.map.getSource(CHOSEN) as GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  private flush(): void {
    this.frame = undefined;
    for (const [index, appearance] of this.pending) {
      const before = this.painted[index];
      if (!before || sameAppearance(before, appearance)) continue;
      this.painted[index] = appearance;
      this.map.setFeatureState({ source: LINKS, id: index }, { ...appearance });
    }
    this.pending.clear();
  }

  private listen(picks: Picks): void {
    this.map.on("click", ({ point }) => {
      const event = this.nearest(point, "heads");
      if (event) return picks.event(String(event.properties["id"]));
      const link = this.nearest(point, "links");
      if (link) return picks.link(Number(link.id));
      picks.nothing();
    });
    this.map.on("mousemove", ({ point }) => {
      const over = this.nearest(point, "heads") ?? this.nearest(point, "links");
      this.map.getCanvas().style.cursor = over ? "pointer" : "";
    });
  }

  private nearest({ x, y }: { x: number; y: number }, layer: string) {
    if (!this.styled) return undefined;
    for (const radius of PICK_RADII_PX) {
      const box: [PointLike, PointLike] = [
        [x - radius, y - radius],
        [x + radius, y + radius],
      ];
      const found = this.map.queryRenderedFeatures(box, { layers: [layer] });
      if (found.length > 0) return found[0];
    }
    return undefined;
  }
}

/** The reader asked the system for less motion. */
function calm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
