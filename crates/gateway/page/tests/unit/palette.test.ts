import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAST_DIFFERENCE, PALETTES, contrast, linear } from "../../src/palette.js";
import type { Theme } from "../../src/palette.js";

type Triple = readonly [number, number, number];

// Machado, Oliveira and Fernandes 2009, severity 1, over linear RGB.
const SIGHTS: Record<string, readonly Triple[]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function seen(sight: readonly Triple[], colour: Triple): Triple {
  return sight.map((row) => Math.min(1, Math.max(0, row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2]))) as unknown as Triple;
}

/** Linear sRGB to Oklab (Ottosson 2020). */
function oklab([r, g, b]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function difference(sight: readonly Triple[], a: string, b: string): number {
  const [x, y] = [oklab(seen(sight, linear(a))), oklab(seen(sight, linear(b)))];
  return Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
}

for (const theme of ["light", "dark"] as const satisfies readonly Theme[]) {
  for (const [name, sight] of Object.entries(SIGHTS)) {
    test(`any two levels differ in the ${theme} theme with ${name}`, () => {
      const levels = PALETTES[theme].levels;
      for (let a = 0; a < levels.length; a += 1) {
        for (let b = a + 1; b < levels.length; b += 1) {
          const far = difference(sight, levels[a]!, levels[b]!);
          assert.ok(far >= LEAST_DIFFERENCE, `${levels[a]} and ${levels[b]} (levels ${a} and ${b}) are only ${far.toFixed(3)} apart`);
        }
      }
    });
  }

  test(`every level stands out from the ground in the ${theme} theme`, () => {
    const { ground, levels, label, events } = PALETTES[theme];
    for (const colour of levels.slice(1)) assert.ok(contrast(colour, ground) >= 3, `${colour}: ${contrast(colour, ground).toFixed(2)}`);
    for (const colour of events) assert.ok(contrast(colour, ground) >= 3, `${colour}: ${contrast(colour, ground).toFixed(2)}`);
    assert.ok(contrast(label, ground) >= 4.5);
  });
}

test("an orange and an olive that only red-green sight tells apart do not pass", () => {
  assert.ok(difference(SIGHTS["deuteranopia"]!, "#a06000", "#7a7a00") < LEAST_DIFFERENCE);
});

test("contrast is the ratio of WCAG", () => {
  assert.equal(contrast("#ffffff", "#000000").toFixed(1), "21.0");
  assert.equal(contrast("#777777", "#ffffff").toFixed(2), "4.48");
});
