//! How many tests passed, failed and were skipped, read from what the test runners print.

use std::fmt;

/// A sum over all runners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Count {
    /// Adds what one line says; most lines say nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            self.add_parts(result.split(['.', ';']));
        } else if let Some(result) = line.strip_prefix("# ").or_else(|| line.strip_prefix("\u{2139} ")) {
            self.add_node(result);
        } else if line.starts_with("skipped: ") {
            // `testbed::require`: the test returned early, so the runner counted it as passed.
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        }
    }

    /// Node's runner closes with a line for each outcome: "# pass 12" in a pipe, "ℹ pass 12" on a terminal.
    fn add_node(&mut self, result: &str) {
        let Some((what, number)) = result.split_once(' ') else { return };
        let Ok(number) = number.parse::<u32>() else { return };
        match what {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }

    fn add_parts<'a>(&mut self, parts: impl Iterator<Item = &'a str>) {
        for part in parts {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) =
                (words.next().and_then(|word| word.parse::<u32>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "skipped" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Some runners colour their output even into a pipe: `ESC [ … m`.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut parts = line.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::default();
        for line in lines {
            count.add_line(line);
        }
        count
    }

    #[test]
    fn cargo_tests_lines_add_up() {
        let counted = count(&[
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.16s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.00s",
        ]);
        assert_eq!(counted, Count { passed: 7, failed: 2, skipped: 1 });
    }

    #[test]
    fn a_test_that_returned_early_for_want_of_a_component_is_skipped_not_passed() {
        let counted = count(&[
            "skipped: kafka::it_serves: Apache Kafka is not there: no jars; run `cargo xtask setup`",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.16s",
        ]);
        assert_eq!(counted.skipped, 1);
    }

    #[test]
    fn nodes_closing_lines_add_up_in_colour_too() {
        let counted = count(&[
            "# tests 9",
            "# pass 5",
            "# fail 1",
            "# cancelled 0",
            "# skipped 2",
            "# todo 1",
            "\u{1b}[34m\u{2139} pass 12\u{1b}[39m",
        ]);
        assert_eq!(counted, Count { passed: 17, failed: 1, skipped: 3 });
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(
            count(&["# pass the port to the server", "7 passed the gate", "# duration_ms 512.3"]),
            Count::default()
        );
    }
}
