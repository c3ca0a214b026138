/** Finding a road by its name: the way to a link's panel without a mouse. */

import { byId, element } from "./dom.js";
import { findRoads } from "./network.js";
import type { Network } from "./network.js";
import type { Speech } from "./speech.js";

const MOST_FOUND = 8;

const input = byId<HTMLInputElement>("search");
const found = byId("found");

export function nameSearch({ words }: Speech): void {
  input.placeholder = words.findRoad;
  input.setAttribute("aria-label", words.findRoad);
}

export function onSearch(network: () => Network, speech: () => Speech, chosen: (index: number) => void): void {
  input.addEventListener("input", () => showFound(network(), speech()));
  input.addEventListener("keydown", (key) => {
    if (key.key === "Escape") empty();
    if (key.key === "Enter") found.querySelector("button")?.click();
    if (key.key === "ArrowDown") found.querySelector("button")?.focus();
  });
  found.addEventListener("keydown", (key) => {
    const at = (document.activeElement as HTMLElement).parentElement;
    if (key.key === "Escape") input.focus();
    if (key.key === "ArrowDown") at?.nextElementSibling?.querySelector("button")?.focus();
    if (key.key === "ArrowUp") (at?.previousElementSibling?.querySelector("button") ?? input).focus();
  });
  found.addEventListener("click", (click) => {
    const index = (click.target as Element).closest<HTMLElement>("[data-index]")?.dataset["index"];
    if (index === undefined) return;
    empty();
    chosen(Number(index));
  });
  document.addEventListener("pointerdown", (press) => {
    if (!(press.target as Element).closest(".search")) found.hidden = true;
  });
}

function empty(): void {
  input.value = "";
  found.hidden = true;
}

function showFound(network: Network, speech: Speech): void {
  found.hidden = input.value.trim() === "";
  const items = findRoads(network, input.value, MOST_FOUND).map((index) => {
    const road = network.roads[index]!;
    const button = element("button", { type: "button", "data-index": String(index) }, speech.roadName(road, ""), element("small", {}, speech.heading(road)));
    return element("li", {}, button);
  });
  found.replaceChildren(...(items.length > 0 ? items : [element("li", { class: "note" }, speech.words.nothingFound)]));
}
