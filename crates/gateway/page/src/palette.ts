/**
 * The colours of the levels of service, for both themes.
 *
 * Chosen so that any two differ in Oklab by at least `LEAST_DIFFERENCE`, for normal sight, protanopia, deuteranopia and
 * tritanopia (Machado, Oliveira and Fernandes 2009, severity 1), and stand out 3:1 from the ground (WCAG 2.2, 1.4.11);
 * a unit test computes it. Blue is free and red is jammed: that axis survives red-green blindness.
 */

export type Theme = "light" | "dark";

export const LEAST_DIFFERENCE = 0.09;

export interface Palette {
  readonly ground: string;
  /** Index 0 = not known, 1..6 = A..F. */
  readonly levels: readonly [string, string, string, string, string, string, string];
  readonly label: string;
  readonly selection: string;
  /** By event type: unspecified, queue, incident, spillback, sensor fault. */
  readonly events: readonly [string, string, string, string, string];
}

export const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    ground: "#f4f5f2",
    levels: ["#a9adb0", "#618ccf", "#255c78", "#207f6b", "#bc8300", "#b34912", "#950022"],
    label: "#4b5359",
    selection: "#101418",
    events: ["#4b5359", "#950022", "#101418", "#6b2fa0", "#6d757b"],
  },
  dark: {
    ground: "#14181d",
    levels: ["#4a525b", "#3366af", "#609abb", "#83ceba", "#e3d352", "#f69900", "#f0525f"],
    label: "#aab3bb",
    selection: "#ffffff",
    events: ["#aab3bb", "#f0525f", "#ffffff", "#c39bf0", "#8b949c"],
  },
};

type Rgb = readonly [number, number, number];

/** sRGB in hexadecimal to linear light, 0..1. */
export function linear(hex: string): Rgb {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

/** WCAG contrast ratio, 1..21. */
export function contrast(a: string, b: string): number {
  const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const [high, low] = [luminance(linear(a)), luminance(linear(b))].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}
