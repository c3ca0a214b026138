// Debian's Chromium, driven by Playwright, with all that a page test wants to know of a page.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // MapLibre needs WebGL; without a graphics card it is drawn in software.
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];

export const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function launch() {
  const folder = await mkdtemp(join(tmpdir(), "luong-page-"));
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, env: { ...process.env, HOME: folder } });
  const close = async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return { browser, close };
}

/** Opens the page in a profile of its own; `complaints` collects whatever a sound page never does. */
export async function open(browser, url, { colorScheme = "light", locale = "en-GB", viewport = { width: 1100, height: 700 } } = {}) {
  const context = await browser.newContext({ colorScheme, locale, viewport, reducedMotion: "reduce" });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const local = request.url().startsWith(url) || request.url().startsWith(`blob:${url}`) || request.url().startsWith("data:");
    if (!local) complaints.push(`request beyond the page's origin: ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}

/** Waits until the network is loaded and the first whole snapshot is in. */
export function ready(page, timeout = 20_000) {
  return page.waitForFunction(() => window.luong?.connected && window.luong.links > 0 && window.luong.snapshots > 0, undefined, { timeout });
}

/** Waits until a link is painted in some colour. */
export function painted(page, linkId, colour) {
  return page.waitForFunction(([id, wanted]) => window.luong.colourOf(id) === wanted, [linkId, colour], { timeout: 10_000 });
}

/** Brings a link so near that its colour fills whole pixels. */
export async function goTo(page, linkId) {
  await page.fill("#search", linkId);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
}

/** Tells whether some pixel near a link's middle has a colour, on the screen and not in the page's mind. */
export async function isOnScreen(page, linkId, hex, within = 9) {
  const point = await page.evaluate((id) => window.luong.pointOf(id), linkId);
  const clip = { x: point[0] - within, y: point[1] - within, width: 2 * within, height: 2 * within };
  const shot = (await page.screenshot({ clip })).toString("base64");
  return page.evaluate(
    async ([png, wanted]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${png}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(wanted.slice(at, at + 2), 16));
      for (let i = 0; i < data.length; i += 4) {
        if (Math.abs(data[i] - r) <= 2 && Math.abs(data[i + 1] - g) <= 2 && Math.abs(data[i + 2] - b) <= 2) return true;
      }
      return false;
    },
    [shot, hex],
  );
}

/** Asks again until it is so: a frame has to be drawn between a state and its pixels. */
export async function eventually(what, check, timeoutMs = 10_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`still not so after ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
