/** Numbers, times and names in the reader's language. What is absent is said to be not known, never 0. */

import { headingEighth } from "./network.js";
import type { Road } from "./network.js";
import { WORDS } from "./words.js";
import type { Language, Words } from "./words.js";

export class Speech {
  readonly words: Words;
  private readonly formats = new Map<number, Intl.NumberFormat>();
  private readonly clock: Intl.DateTimeFormat;
  private readonly minute: Intl.DateTimeFormat;
  private readonly calendar: Intl.DateTimeFormat;

  constructor(readonly language: Language) {
    this.words = WORDS[language];
    const locale = language === "vi" ? "vi-VN" : "en-GB";
    this.clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    this.minute = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.calendar = new Intl.DateTimeFormat(locale, { day: "2-digit", month: "2-digit", year: "numeric" });
  }

  number(value: number, decimals = 0): string {
    let format = this.formats.get(decimals);
    if (!format) {
      const locale = this.language === "vi" ? "vi-VN" : "en-GB";
      format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
      this.formats.set(decimals, format);
    }
    return format.format(value);
  }

  /** A value with its unit, or "not known". */
  value(value: number | undefined, unit: string, decimals = 0): string {
    return value === undefined || !Number.isFinite(value) ? this.words.notKnown : `${this.number(value, decimals)} ${unit}`;
  }

  length(metres: number | undefined): string {
    if (metres === undefined) return this.words.notKnown;
    return metres < 1000 ? this.value(metres, this.words.metres) : this.value(metres / 1000, this.words.kilometres, 1);
  }

  /** A span of time in the one unit that suits it. */
  span(seconds: number | undefined): string {
    if (seconds === undefined || !Number.isFinite(seconds)) return this.words.notKnown;
    if (seconds < 99.5) return this.words.seconds(this.number(seconds));
    if (seconds < 99.5 * 60) return this.words.minutes(this.number(seconds / 60));
    if (seconds < 48 * 3600) return this.words.hours(this.number(seconds / 3600));
    return this.words.days(this.number(seconds / 86400));
  }

  time(ms: number): string {
    return this.clock.format(ms);
  }

  hourAndMinute(ms: number): string {
    return this.minute.format(ms);
  }

  date(ms: number): string {
    return this.calendar.format(ms);
  }

  roadName(road: Road | undefined, linkId: string): string {
    if (!road) return linkId === "" ? this.words.unnamed : linkId;
    return road.link.name || `${this.words.unnamed} (${road.link.linkId})`;
  }

  heading(road: Road): string {
    return this.words.towards[headingEighth(road.vertices)] ?? "";
  }
}
