/** What the reader chose, remembered in the browser; what was not chosen follows the browser. */

import type { Theme } from "./palette.js";
import { languageFor } from "./words.js";
import type { Language } from "./words.js";

const LANGUAGE = "luong.language";
const THEME = "luong.theme";

export function language(): Language {
  const chosen = read(LANGUAGE);
  return chosen === "vi" || chosen === "en" ? chosen : languageFor(navigator.languages);
}

export function chooseLanguage(language: Language): void {
  write(LANGUAGE, language);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const chosen = read(THEME);
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

export function chooseTheme(theme: Theme): void {
  write(THEME, theme);
}

/** Calls back when the system's theme changes; a choice of one's own stands above it. */
export function onSystemTheme(changed: () => void): void {
  dark.addEventListener("change", changed);
}

// A browser may refuse storage altogether; then nothing is remembered.
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not remembered, and nothing else lost.
  }
}
