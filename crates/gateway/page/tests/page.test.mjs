// The built page in a real browser: over a mock gateway whose every state is known, and over the real service.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { gridCity } from "../.test-build/tests/city.js";
import { MockGateway, observed, trafficEvent } from "../.test-build/tests/mock.js";
import { EventChange, EventType } from "../.test-build/src/gen/luong/v1/events_pb.js";
import { Source } from "../.test-build/src/gen/luong/v1/state_pb.js";
import { PALETTES } from "../.test-build/src/palette.js";
import { eventually, goTo, isOnScreen, launch, open, painted, ready } from "./browser.mjs";
import { RealService } from "./service.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const { light, dark } = PALETTES;

let chromium;
before(async () => (chromium = await launch()));
after(() => chromium?.close());

describe("over a mock gateway", () => {
  const links = gridCity(8);
  // Apart from each other, and without names, which would lie over them.
  const nameless = links.filter((link) => link.name === "");
  const [a, b, c, d, e, f, none] = [0, 20, 40, 60, 80, 100, 120].map((index) => nameless[index].linkId);
  let gateway;
  let view;
  let page;

  beforeEach(async () => {
    gateway = new MockGateway(links, DIST);
    [a, b, c, d, e, f].forEach((linkId, i) => gateway.setState(linkId, observed(i + 1)));
    const url = await gateway.start();
    view = await open(chromium.browser, url);
    page = view.page;
    await ready(page);
  });

  afterEach(async () => {
    await view.close();
    await gateway.stop();
  });

  test("every level is painted in its colour, on the screen too", async () => {
    for (const [i, linkId] of [none, a, b, c, d, e, f].entries()) {
      await painted(page, linkId, light.levels[i]);
      await goTo(page, linkId);
      await eventually(`${linkId} is ${light.levels[i]} on the screen`, () => isOnScreen(page, linkId, light.levels[i]));
    }
    assert.equal(await isOnScreen(page, f, light.levels[1]), false, "the look at the screen can fail");
  });

  test("the map moves: a changed state changes the link's colour", async () => {
    await painted(page, a, light.levels[1]);
    await goTo(page, a);
    await eventually("it is on the screen", () => isOnScreen(page, a, light.levels[1]));
    gateway.setState(a, observed(6));
    await painted(page, a, light.levels[6]);
    await eventually("the screen follows", () => isOnScreen(page, a, light.levels[6]));
    assert.equal((await page.evaluate((id) => window.luong.stateOf(id), a)).levelOfService, "LEVEL_OF_SERVICE_F");
  });

  test("the network's title is shown: it says what the map is not", async () => {
    assert.equal(await page.locator("#credit").innerText(), gateway.title);
  });

  test("estimated, usual and old states are told apart", async () => {
    gateway.setState(a, observed(2, { source: Source.ESTIMATED }));
    gateway.setState(b, observed(2, { source: Source.PROFILE }));
    gateway.setState(c, observed(2, { ageS: 1000 }));
    gateway.setState(d, { source: Source.NONE });
    const looks = () => page.evaluate((ids) => ids.map((id) => window.luong.appearanceOf(id)), [a, b, c, d]);
    const wanted = [
      { level: 2, estimated: true, stale: false },
      { level: 2, estimated: true, stale: false },
      { level: 2, estimated: false, stale: true },
      { level: 0, estimated: false, stale: false },
    ];
    await eventually("each looks as it should", async () => isDeepStrictEqual(await looks(), wanted));
  });

  test("a lost gateway is said at once, and the page goes on where it was", async () => {
    const { port } = gateway;
    assert.equal(await page.locator("#banner").isVisible(), false);
    await gateway.stop();
    await page.locator("#banner").waitFor({ state: "visible", timeout: 2000 });
    assert.match(await page.locator("#banner").innerText(), /Connection lost/);
    assert.match(await page.locator("#connection").innerText(), /Not connected/);
    gateway.setState(a, observed(5));
    await gateway.start(port);
    await page.locator("#banner").waitFor({ state: "hidden", timeout: 15_000 });
    await painted(page, a, light.levels[5]);
    assert.equal(await page.evaluate(() => window.luong.snapshots), 1, "no second snapshot was needed");
    assert.equal(await page.evaluate(() => window.luong.resumed), 1);
  });

  test("a gateway that forgot the token sends a snapshot, and what it lacks is not known any more", async () => {
    const { port } = gateway;
    await painted(page, b, light.levels[2]);
    await gateway.stop();
    gateway.forgetTokens();
    gateway.states.delete(b);
    await gateway.start(port);
    await painted(page, b, light.levels[0]);
    await painted(page, a, light.levels[1]);
    assert.equal(await page.evaluate(() => window.luong.snapshots), 2);
  });

  test("another network behind the same address is loaded anew", async () => {
    const { port } = gateway;
    await gateway.stop();
    gateway.version = "2".repeat(16);
    gateway.forgetTokens();
    gateway.links.length = links.length;
    await gateway.start(port);
    await page.waitForFunction((version) => window.luong.networkVersion === version, gateway.version, { timeout: 15_000 });
    await painted(page, a, light.levels[1]);
  });

  test("old data are said to be old though the connection stands", async () => {
    gateway.asOfMs = Date.now() - 5 * 60_000;
    gateway.forgetTokens();
    await page.reload();
    await page.locator("#banner").waitFor({ state: "visible" });
    assert.match(await page.locator("#banner").innerText(), /newest state is 5 min old/);
    assert.match(await page.locator("#connection").innerText(), /Live/);
  });

  test("a link's panel gives its figures, and says what is not known", async () => {
    gateway.setState(f, { ...observed(6), flowPcuph: undefined, queueM: undefined, losFacility: 0 });
    await painted(page, f, light.levels[6]);
    await goTo(page, f);
    await eventually("the link is drawn", () => isOnScreen(page, f, light.levels[6]));
    const panel = page.locator("#link");
    assert.equal(await panel.isVisible(), false);
    const [x, y] = await page.evaluate((id) => window.luong.pointOf(id), f);
    await page.mouse.click(x, y);
    await panel.waitFor({ state: "visible" });
    const rows = await panel.locator("#link-live dt").allInnerTexts();
    const values = await panel.locator("#link-live dd").allInnerTexts();
    const row = (term) => values[rows.indexOf(term)];
    await page.fill("#search", f);
    await page.keyboard.press("Enter");
    await eventually("the panel shows the link that was asked for", async () => (await panel.locator("#link-road dd").last().innerText()) === f);
    const text = await panel.innerText();
    assert.match(text, /Jammed/);
    assert.match(text, /8 km\/h\s+80 %: 6 – 9/);
    assert.match(text, /1,840 veh\/h/);
    assert.match(text, /in car units \(PCU\)\s+not known/);
    assert.match(text, /Queue length\s+not known/);
    assert.match(text, /measurements on this link/);
    assert.ok(row("Speed") !== undefined);
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "hidden" });
  });

  test("roads are found by keyboard alone, without accents", async () => {
    await page.locator("#search").focus();
    await page.keyboard.type("tran phu");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator("#link").waitFor({ state: "visible" });
    assert.equal(await page.locator("#link-name").innerText(), "Trần Phú");
    await page.locator("#link-close").focus();
    await page.keyboard.press("Enter");
    await page.locator("#link").waitFor({ state: "hidden" });
  });

  test("events open, are ordered, fly to their place and clear", async () => {
    const at = { linkId: e, headLinkId: e, linkIds: [e] };
    gateway.setEvent(trafficEvent("small", { ...at, queueM: 80, delayVehH: 0.4 }));
    gateway.setEvent(trafficEvent("great", { ...at, queueM: 900, delayVehH: 7 }));
    gateway.setEvent(trafficEvent("crash", { ...at, type: EventType.INCIDENT, confidence: 0.9, revision: 1 }));
    const items = page.locator("#events-list button");
    await eventually("three events are listed", async () => (await items.count()) === 3);
    const order = () => items.evaluateAll((buttons) => buttons.map((button) => button.dataset.event));
    assert.deepEqual(await order(), ["crash", "great", "small"]);
    const before = await page.evaluate((id) => window.luong.pointOf(id), e);
    await items.nth(1).click();
    await page.locator("#link").waitFor({ state: "visible" });
    await eventually("the map flew", async () => {
      const point = await page.evaluate((id) => window.luong.pointOf(id), e);
      return Math.abs(point[0] - before[0]) > 5 || Math.abs(point[1] - before[1]) > 5;
    });
    gateway.setEvent(trafficEvent("great", { ...at, revision: 2, change: EventChange.CLEARED }));
    await eventually("the cleared one is gone", async () => (await order()).join() === "crash,small");
  });

  test("what was cleared while the connection was lost is gone after it", async () => {
    gateway.setEvent(trafficEvent("x", { linkId: a }));
    const items = page.locator("#events-list button");
    await eventually("it is listed", async () => (await items.count()) === 1);
    const { port } = gateway;
    await gateway.stop();
    gateway.events.clear();
    await gateway.start(port);
    await eventually("it is gone", async () => (await items.count()) === 0, 15_000);
  });

  test("Vietnamese and English change places, and the choice is remembered", async () => {
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
    await page.click("#language");
    assert.equal(await page.locator("html").getAttribute("lang"), "vi");
    assert.match(await page.locator("#legend").innerText(), /Ùn tắc/);
    await page.reload();
    await ready(page);
    assert.match(await page.locator("#connection").innerText(), /Trực tuyến/);
    await page.click("#language");
    assert.match(await page.locator("#legend").innerText(), /Jammed/);
  });

  test("dark and light change places, and the choice is remembered", async () => {
    await painted(page, f, light.levels[6]);
    await goTo(page, f);
    await page.click("#theme");
    await painted(page, f, dark.levels[6]);
    await eventually("the screen is dark", () => isOnScreen(page, f, dark.levels[6]));
    await page.reload();
    await ready(page);
    assert.equal(await page.evaluate(() => window.luong.theme), "dark");
  });

  test("a Vietnamese browser in the dark gets a dark Vietnamese page", async () => {
    const other = await open(chromium.browser, page.url(), { colorScheme: "dark", locale: "vi-VN" });
    await ready(other.page);
    assert.equal(await other.page.evaluate(() => window.luong.theme), "dark");
    assert.equal(await other.page.locator("html").getAttribute("lang"), "vi");
    await other.close();
  });

  test("nothing is asked of anyone else, and nothing goes wrong in silence", async () => {
    await page.click("#zoom-in");
    await page.click("#whole-city");
    await page.mouse.move(600, 400);
    await painted(page, a, light.levels[1]);
    assert.deepEqual(view.complaints, []);
  });
});

describe("over the real service", () => {
  const binary = process.env.LUONG;
  const skip = binary === undefined && process.env.CI !== "true" ? "LUONG names no binary of the service" : false;
  let service;
  let view;
  let page;

  before(async () => {
    if (skip) return;
    assert.ok(binary, "LUONG must name the service's binary where CI=true");
    service = await RealService.make(binary);
    await service.start();
    view = await open(chromium.browser, service.url);
    page = view.page;
  });

  after(async () => {
    await view?.close();
    await service?.remove();
  });

  /** How many links have a level, and how many of those are painted in its colour. */
  const tally = () =>
    page.evaluate((levels) => {
      const states = window.luong.linkIds.map((id) => [window.luong.stateOf(id)?.levelOfService, window.luong.colourOf(id)]);
      const known = states.filter(([level]) => level !== undefined && level !== "LEVEL_OF_SERVICE_UNSPECIFIED");
      const right = known.filter(([level, colour]) => colour === levels["ABCDEF".indexOf(level.at(-1)) + 1]);
      return { known: known.length, right: right.length, updates: window.luong.updates };
    }, light.levels);

  test("the demo city appears and its links take the colours of their states", { skip, timeout: 120_000 }, async () => {
    await ready(page, 30_000);
    await eventually("links are known", async () => (await tally()).known > 0, 90_000);
    await eventually("every known link has its colour", async () => {
      const { known, right } = await tally();
      return known > 0 && right === known;
    });
    if (process.env.LUONG_SCREENSHOT) await page.screenshot({ path: process.env.LUONG_SCREENSHOT });
  });

  test("it moves", { skip, timeout: 60_000 }, async () => {
    const states = () => page.evaluate(() => JSON.stringify(window.luong.linkIds.map((id) => window.luong.stateOf(id)?.speedKmh)));
    const before = await states();
    await eventually("some speed has changed", async () => (await states()) !== before, 45_000);
  });

  test("it survives a restart of the gateway", { skip, timeout: 120_000 }, async () => {
    const ended = await service.stop();
    assert.equal(ended, 0, service.said);
    await page.locator("#banner").waitFor({ state: "visible", timeout: 5000 });
    await service.start();
    await page.locator("#banner").waitFor({ state: "hidden", timeout: 30_000 });
    const before = (await tally()).updates;
    await eventually("updates come again", async () => (await tally()).updates > before, 30_000);
    await eventually("links are known", async () => (await tally()).known > 0, 60_000);
  });

  test("nothing is asked of anyone else, and nothing goes wrong in silence", { skip }, () => {
    // While the gateway was away the browser itself complains of refused connections.
    const own = view.complaints.filter((complaint) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK|SOCKET)/.test(complaint));
    assert.deepEqual(own, []);
  });
});
