// Serves the built page over a made-up city that moves: `npm run mock`, for working on the page without a gateway.

import { fileURLToPath } from "node:url";
import { gridCity } from "../.test-build/tests/city.js";
import { MockGateway, observed, trafficEvent } from "../.test-build/tests/mock.js";

const links = gridCity(Number(process.env.CITY_SIZE ?? 24));
const gateway = new MockGateway(links, fileURLToPath(new URL("../dist/", import.meta.url)));
gateway.readingsPerS = 412;
const url = await gateway.start(Number(process.env.PORT ?? 0));
process.stdout.write(`${url}\n`);

// Congestion drifts over the grid in slow waves; a third of the links is estimated, a tenth not known.
function levelAt(index, seconds) {
  const wave = Math.sin(index * 0.013 + seconds * 0.05) + Math.sin(index * 0.0047 - seconds * 0.03) * 0.8;
  return Math.max(1, Math.min(6, Math.round(2.2 + wave * 1.9)));
}

function stateAt(index, seconds) {
  const kind = (index * 7919) % 30;
  if (kind < 3) return undefined;
  return observed(levelAt(index, seconds), { source: kind < 13 ? 3 : 4, ageS: kind === 20 ? 400 : 4 });
}

function refresh(fraction) {
  const seconds = Date.now() / 1000;
  links.forEach((link, index) => {
    if (Math.random() > fraction) return;
    const state = stateAt(index, seconds);
    if (state) gateway.setState(link.linkId, state);
  });
}

refresh(1);
const spread = [60, 333, 610, 903, 1200, 1502];
spread.forEach((index, n) => {
  const link = links[index % links.length];
  const type = [1, 1, 2, 1, 3, 4][n];
  gateway.setEvent(
    trafficEvent(`event-${n}`, {
      type,
      linkId: link.linkId,
      headLinkId: type === 4 ? "" : link.linkId,
      linkIds: [link.linkId, links[(index + 1) % links.length].linkId],
      sensorId: type === 4 ? "loop-TranPhu-03" : "",
      queueM: type === 1 || type === 3 ? 180 + n * 143 : undefined,
      delayVehH: type === 1 ? 1.7 * (n + 1) : undefined,
      confidence: type === 2 ? 0.87 : undefined,
    }),
  );
});
setInterval(() => refresh(0.05), 500);
