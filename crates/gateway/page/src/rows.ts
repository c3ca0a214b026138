/** What a link's panel says, as terms and values; without a page, so that a test can read it. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { LinkState } from "./gen/luong/v1/state_pb.js";
import type { Road } from "./network.js";
import type { Speech } from "./speech.js";
import { ageSeconds } from "./states.js";

export type Row = readonly [term: string, value: string, note?: string | undefined];

export function stateRows(state: LinkState | undefined, nowMs: number | undefined, speech: Speech): Row[] {
  const { words } = speech;
  const lo = state?.speedLoKmh;
  const hi = state?.speedHiKmh;
  const interval = lo === undefined || hi === undefined ? undefined : words.interval(speech.number(lo), speech.number(hi));
  const age = state && ageSeconds(state, nowMs);
  const rows: Row[] = [
    [words.speed, speech.value(state?.speedKmh, words.kmh), interval],
    [words.freeFlow, speech.value(state?.freeFlowSpeedKmh, words.kmh)],
    [words.flow, speech.value(state?.flowVph, words.vph)],
    [words.flowPcu, speech.value(state?.flowPcuph, words.pcuph)],
    [words.flowMcu, speech.value(state?.flowMcuph, words.mcuph)],
    [words.density, speech.value(state?.densityVpkm, words.vpkm, 1)],
    [words.travelTime, speech.span(state?.travelTimeS)],
    [words.delay, speech.span(state?.delayS)],
    [words.queue, speech.length(state?.queueM)],
    [words.congested, state?.congested === undefined ? words.notKnown : state.congested ? words.yes : words.no],
    [words.source, words.sources[state?.source ?? 0] ?? words.notKnown],
    [words.newestObservation, age === undefined ? words.notKnown : words.ago(speech.span(age))],
    [words.validAt, state?.validAt ? speech.time(timestampMs(state.validAt)) : words.notKnown],
  ];
  if (state && state.losFacility > 0) rows.push([words.levelFacility, "ABCDEF"[state.losFacility - 1] ?? words.notKnown]);
  const notes = qualityNotes(state?.quality ?? 0, speech);
  if (notes !== "") rows.push([words.quality, notes]);
  return rows;
}

function qualityNotes(quality: number, { words }: Speech): string {
  return Object.entries(words.qualityFlags)
    .filter(([bit]) => (quality & Number(bit)) !== 0)
    .map(([, note]) => note)
    .join("; ");
}

export function roadRows({ link }: Road, speech: Speech): Row[] {
  const { words } = speech;
  const known = (value: number) => (value > 0 ? value : undefined);
  const note = (byDefault: boolean) => (byDefault ? words.byDefault : undefined);
  const lanes = known(link.lanes);
  return [
    [words.length, speech.length(known(link.lengthM))],
    [words.lanes, lanes === undefined ? words.notKnown : speech.number(lanes, lanes % 1 === 0 ? 0 : 1), note(link.lanesDefault)],
    [words.width, speech.value(known(link.widthM), words.metres, 1), note(link.widthDefault)],
    [words.limit, speech.value(known(link.speedLimitKmh), words.kmh), note(link.speedLimitDefault)],
    [words.vehicles, classesIn(link.allowedClasses, speech)],
    [words.linkId, link.linkId],
  ];
}

function classesIn(bits: number, { words }: Speech): string {
  const classes = words.vehicleClasses.filter((word, vehicleClass) => word !== "" && (bits & (1 << vehicleClass)) !== 0);
  return classes.length === 0 ? words.notKnown : classes.join(", ");
}
