/** The page: wires the picture of the city to what is drawn. */

import { createGrpcWebTransport } from "@connectrpc/connect-web";
import "./page.css";
import { byId, setHidden } from "./dom.js";
import { chosenOrder, onEvent, onOrder, placeOf, showEvents } from "./eventlist.js";
import { EventChange } from "./gen/luong/v1/events_pb.js";
import type { TrafficEvent } from "./gen/luong/v1/events_pb.js";
import { StateUpdate_Kind } from "./gen/luong/v1/state_pb.js";
import { offerHook } from "./hook.js";
import { drawLegend, showCounts } from "./legend.js";
import { CityMap } from "./map.js";
import type { EventMark } from "./map.js";
import { hideLink, onClose, showLink } from "./panel.js";
import { Picture } from "./picture.js";
import { isFromOpenStreetMap } from "./network.js";
import * as preferences from "./preferences.js";
import { browserWorld, Reconnector } from "./reconnect.js";
import type { Connection } from "./reconnect.js";
import { nameSearch, onSearch } from "./search.js";
import { Service } from "./service.js";
import { Speech } from "./speech.js";
import { LevelCounts, appearanceOf } from "./states.js";
import { onRetry, showVitals } from "./vitals.js";

/** Staleness, ages and figures are looked at this often, whatever comes in. */
const LOOK_MS = 1000;
/** A page that nobody sees gives its two connections back: a browser has six for all pages of one origin. */
const REST_AFTER_HIDDEN_MS = 30_000;
/** The end of a stream in good order is mended before the eye notices; only then it is said. */
const SAY_CONNECTING_AFTER_MS = 1500;

let speech = new Speech(preferences.language());
let theme = preferences.theme();
let connection: Connection = { kind: "connecting" };
let lost = false;
let connectingSinceMs = Date.now();
let chosenLink: number | undefined;
let chosenEvent: string | undefined;
let scheduled = false;
let levels = new LevelCounts(0);
const counts = { updates: 0, snapshots: 0, resumed: 0 };

const service = new Service(createGrpcWebTransport({ baseUrl: new URL(".", location.href).href }));
const picture = new Picture(service, { networkChanged, statesChanged, eventsChanged: schedule, updateTaken });
const city = drawCity();
const reconnector = new Reconnector((signal, alive) => picture.follow(signal, alive), report, browserWorld);

listen();
redrawAll();
offerHook(picture, city, () => connection, () => theme, counts);
setInterval(look, LOOK_MS);
void reconnector.run();

function drawCity(): CityMap | undefined {
  try {
    return new CityMap(byId("map"), theme, { link: chooseLink, event: chooseEvent, nothing: chooseNothing });
  } catch {
    // No WebGL: said in words where the map would be; all the rest works.
    byId("map").hidden = true;
    return undefined;
  }
}

function report(now: Connection): void {
  if (now.kind === "connecting" && connection.kind !== "connecting") connectingSinceMs = Date.now();
  connection = now;
  if (now.kind === "lost") lost = true;
  if (now.kind === "live") lost = false;
  showFigures();
}

function networkChanged(): void {
  chooseNothing();
  levels = new LevelCounts(picture.network.roads.length);
  city?.setNetwork(picture.network);
  redrawAll();
}

function updateTaken(kind: StateUpdate_Kind, complete: boolean): void {
  counts.updates += 1;
  if (complete && kind === StateUpdate_Kind.SNAPSHOT) counts.snapshots += 1;
  if (complete && kind === StateUpdate_Kind.RESUMED) counts.resumed += 1;
}

/** Links that changed inside a snapshot that is not whole yet wait for its end. */
let waiting = new Set<number>();

function statesChanged(indexes: readonly number[]): void {
  if (!picture.states.whole) {
    indexes.forEach((index) => waiting.add(index));
    return;
  }
  const now = picture.clock.now(Date.now());
  waiting.forEach((index) => paint(index, now));
  waiting = new Set();
  indexes.forEach((index) => paint(index, now));
  schedule();
}

function paint(index: number, nowMs: number | undefined): void {
  const appearance = appearanceOf(picture.states.of(index), nowMs);
  levels.set(index, appearance.level);
  city?.paint(index, appearance);
}

/** Once a second: what was fresh may have become old without any message. */
function look(): void {
  if (document.hidden) return;
  const now = picture.clock.now(Date.now());
  if (picture.states.whole) picture.network.roads.forEach((_, index) => paint(index, now));
  schedule();
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    redraw();
  });
}

function redraw(): void {
  showFigures();
  showCounts(levels.counts, speech);
  showChosenLink();
  showOpenEvents();
}

function redrawAll(): void {
  const { words } = speech;
  document.documentElement.lang = speech.language;
  document.documentElement.dataset["theme"] = theme;
  document.title = `Luồng – ${words.tagline}`;
  byId("tagline").textContent = words.tagline;
  byId("no-webgl").textContent = words.noWebgl;
  setHidden(byId("no-webgl"), city !== undefined);
  label("language", words.otherLanguage);
  label("theme", theme === "dark" ? words.toLight : words.toDark);
  label("zoom-in", words.zoomIn);
  label("zoom-out", words.zoomOut);
  label("whole-city", words.wholeCity);
  byId("language").textContent = speech.language === "vi" ? "EN" : "VI";
  city?.describe(words.map);
  const credit = isFromOpenStreetMap(picture.network) ? words.openStreetMap : "";
  byId("credit").textContent = [picture.network.title, credit].filter((part) => part !== "").join(" · ");
  nameSearch(speech);
  drawLegend(theme, speech);
  redraw();
}

function label(id: string, text: string): void {
  byId(id).setAttribute("aria-label", text);
  byId(id).title = text;
}

function showFigures(): void {
  const nowMs = Date.now();
  const brief = connection.kind === "connecting" && !lost && picture.network.roads.length > 0 && nowMs - connectingSinceMs < SAY_CONNECTING_AFTER_MS;
  showVitals(
    {
      connection: brief ? { kind: "live" } : connection,
      lost,
      freshness: picture.clock.freshness(nowMs),
      readingsPerS: picture.readingsPerS,
      updatesPerS: picture.updates.perSecond(nowMs),
      known: levels.known,
      links: picture.network.roads.length,
      loaded: picture.network.version !== "",
      nowMs,
      newestMs: picture.clock.newest,
    },
    speech,
  );
}

function showChosenLink(): void {
  const road = chosenLink === undefined ? undefined : picture.network.roads[chosenLink];
  if (!road || chosenLink === undefined) return hideLink();
  showLink(road, picture.states.of(chosenLink), picture.clock.now(Date.now()), theme, speech);
}

function showOpenEvents(): void {
  const nowMs = picture.clock.now(Date.now()) ?? Date.now();
  const events = picture.events.open(chosenOrder());
  showEvents({ events, offered: picture.eventsOffered, network: picture.network, chosen: chosenEvent, nowMs }, theme, speech);
  markEvents(events);
}

let marked = "";

function markEvents(events: readonly TrafficEvent[]): void {
  const marks = events.flatMap((event): EventMark[] => {
    const road = picture.network.road(placeOf(event));
    const at = road?.vertices[road.vertices.length - 1];
    return at ? [{ id: event.id, type: event.type, at }] : [];
  });
  const key = JSON.stringify(marks);
  if (key === marked) return;
  marked = key;
  city?.setMarks(marks);
}

function chooseLink(index: number): void {
  chosenLink = index;
  chosenEvent = undefined;
  city?.choose([index]);
  redraw();
}

function chooseEvent(id: string): void {
  const event = picture.events.open("worst").find((open) => open.id === id && open.change !== EventChange.CLEARED);
  if (!event) return;
  chosenEvent = id;
  const at = picture.network.indexOf(placeOf(event));
  const all = [placeOf(event), ...event.linkIds].map((linkId) => picture.network.indexOf(linkId)).filter((index) => index !== undefined);
  chosenLink = at;
  city?.choose([...new Set(all)]);
  city?.flyTo(all);
  redraw();
}

function chooseNothing(): void {
  chosenLink = undefined;
  chosenEvent = undefined;
  city?.choose([]);
  schedule();
}

function listen(): void {
  onClose(chooseNothing);
  onRetry(() => reconnector.retryNow());
  onOrder(showOpenEvents);
  onEvent(chooseEvent);
  onSearch(() => picture.network, () => speech, (index) => {
    chooseLink(index);
    city?.flyTo([index]);
  });
  byId("language").addEventListener("click", () => {
    const language = speech.language === "vi" ? "en" : "vi";
    preferences.chooseLanguage(language);
    speech = new Speech(language);
    redrawAll();
  });
  byId("theme").addEventListener("click", () => {
    preferences.chooseTheme(theme === "dark" ? "light" : "dark");
    themeChanged();
  });
  preferences.onSystemTheme(themeChanged);
  byId("zoom-in").addEventListener("click", () => city?.zoomBy(1));
  byId("zoom-out").addEventListener("click", () => city?.zoomBy(-1));
  byId("whole-city").addEventListener("click", () => city?.wholeCity());
  addEventListener("online", () => reconnector.retryNow());
  addEventListener("keydown", (key) => key.key === "Escape" && chosenLink !== undefined && chooseNothing());
  listenForHiding();
}

function themeChanged(): void {
  theme = preferences.theme();
  city?.setTheme(theme);
  redrawAll();
}

function listenForHiding(): void {
  let rest: (() => void) | undefined;
  document.addEventListener("visibilitychange", () => {
    rest?.();
    if (document.hidden) rest = browserWorld.after(REST_AFTER_HIDDEN_MS, () => reconnector.pause());
    else reconnector.resume();
  });
}
