/** The header's figures and the banner: is it live, how fresh is it, what comes in. */

import { byId, element, setHidden, setText } from "./dom.js";
import type { Freshness } from "./freshness.js";
import type { Connection } from "./reconnect.js";
import type { Speech } from "./speech.js";

export interface Vitals {
  readonly connection: Connection;
  /** Something was lost, or could not be had, since the last time all was well. */
  readonly lost: boolean;
  readonly freshness: Freshness;
  readonly readingsPerS: number | undefined;
  readonly updatesPerS: number;
  readonly known: number;
  readonly links: number;
  readonly loaded: boolean;
  readonly nowMs: number;
  /** Time of the newest state by the data's clock. */
  readonly newestMs: number | undefined;
}

const connection = byId("connection");
const connectionWord = byId("connection-word");
const freshTerm = byId("fresh-term");
const fresh = byId("fresh");
const rateTerm = byId("rate-term");
const rate = byId("rate");
const knownTerm = byId("known-term");
const known = byId("known");
const banner = byId("banner");
const bannerWord = byId("banner-word");
const bannerRetry = byId("banner-retry");
const retry = byId<HTMLButtonElement>("retry");
const notice = byId("notice");

export function onRetry(action: () => void): void {
  retry.addEventListener("click", action);
}

export function showVitals(vitals: Vitals, speech: Speech): void {
  showConnection(vitals, speech);
  showFreshness(vitals, speech);
  const { words } = speech;
  const readings = vitals.readingsPerS;
  setText(rateTerm, readings === undefined ? words.updatesPerS : words.readingsPerS);
  setText(rate, vitals.lost ? words.notKnown : speech.number(readings ?? vitals.updatesPerS));
  setText(knownTerm, words.knownLinks);
  setText(known, `${speech.number(vitals.known)} / ${speech.number(vitals.links)}`);
  showBanner(vitals, speech);
  showNotice(vitals, speech);
}

function showConnection({ connection: now, lost }: Vitals, { words }: Speech): void {
  // Between two tries it is still lost: no flicker.
  const kind = lost ? "lost" : now.kind;
  connection.dataset["kind"] = kind;
  setText(connectionWord, kind === "live" ? words.live : kind === "lost" ? words.offline : words.connecting);
}

function showFreshness({ freshness }: Vitals, speech: Speech): void {
  const { words } = speech;
  fresh.dataset["old"] = String(freshness.kind !== "none" && freshness.old);
  if (freshness.kind === "replay") {
    setText(freshTerm, words.dataTime);
    setText(fresh, `${speech.date(freshness.atMs)} ${speech.time(freshness.atMs)}`);
    return;
  }
  setText(freshTerm, words.newestState);
  setText(fresh, freshness.kind === "none" ? words.notKnown : words.ago(speech.span(Math.floor(freshness.ageS))));
}

function showBanner(vitals: Vitals, speech: Speech): void {
  const { words } = speech;
  const { freshness } = vitals;
  const old = !vitals.lost && freshness.kind !== "none" && freshness.old;
  setHidden(banner, !vitals.lost && !old);
  banner.dataset["kind"] = vitals.lost ? "lost" : "old";
  setHidden(retry, !vitals.lost);
  setText(retry, words.retryNow);
  if (old) {
    // Read out once a minute, not once a second.
    const minutes = Math.floor(freshness.ageS / 60);
    setText(bannerWord, words.oldPicture(minutes === 0 ? speech.span(freshness.ageS) : speech.span(minutes * 60)));
    setText(bannerRetry, "");
  } else if (vitals.lost) {
    const since = vitals.newestMs === undefined ? words.neverSeen : words.lostSince(speech.time(vitals.newestMs));
    setText(bannerWord, `${words.lost} ${since}`);
    setText(bannerRetry, retryWord(vitals, speech));
  }
}

function retryWord({ connection, nowMs }: Vitals, { words }: Speech): string {
  if (connection.kind !== "lost") return words.retrying;
  return words.retryIn(Math.max(1, Math.ceil((connection.retryAtMs - nowMs) / 1000)));
}

function showNotice({ loaded, links, lost }: Vitals, { words }: Speech): void {
  setHidden(notice, lost || (loaded && links > 0));
  const text = loaded ? words.emptyNetwork : words.loadingNetwork;
  if (notice.textContent !== text) notice.replaceChildren(element("p", {}, text));
}
