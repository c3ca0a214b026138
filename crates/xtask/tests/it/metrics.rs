//! Metrics have one name each: where the code registers them, and wherever somebody relies on them.

use std::{collections::BTreeSet, path::Path};

use testbed::workspace_root;

use crate::deploy::{deploy, files, read};

/// The rooms that register metrics.
const ROOMS: [&str; 5] = ["crates/eventlog", "crates/ingest", "crates/gateway", "crates/luong", "simulator"];

#[test]
fn rules_boards_and_tests_name_only_metrics_that_the_code_registers() {
    let known = registered_names();
    let mut unknown = Vec::new();
    let tests = ROOMS.iter().flat_map(|room| files(&workspace_root().join(room).join("tests")));
    let shipped = files(&deploy("prometheus/rules")).into_iter().chain(files(&deploy("grafana")));
    for path in shipped.chain(tests).filter(|path| is_text(path)) {
        let used = metric_names(&read(&path));
        unknown.extend(used.difference(&known).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

/// Recorded messages and pictures lie among the tests.
fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ["rs", "yml", "json"].iter().any(|text| ending == *text))
}

#[test]
fn the_readme_has_every_metric_and_no_other() {
    let known = registered_names();
    let told = told_names(&read(&workspace_root().join("README.md")));
    assert!(told.len() > 20, "{told:?}");
    let unknown: Vec<_> = told.difference(&known).collect();
    assert!(unknown.is_empty(), "in README.md and not in the code: {unknown:?}");
    let is_metric = |name: &&String| name.ends_with("_total") || name.ends_with("_seconds");
    let untold: Vec<_> = known.difference(&told).filter(is_metric).collect();
    assert!(untold.is_empty(), "in the code and not in README.md: {untold:?}");
}

/// The table leaves the prefix to its head: `ingest_connections` stands for `luong_ingest_connections`.
fn told_names(readme: &str) -> BTreeSet<String> {
    let rooms = ["ingest_", "eventlog_", "analyse_", "gateway_"];
    readme
        .lines()
        .skip_while(|line| !line.starts_with("| metric `luong_"))
        .take_while(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`'))
        .filter(|text| rooms.iter().any(|room| text.starts_with(room)) && text.chars().all(is_of_name))
        .map(|name| format!("luong_{name}"))
        .collect()
}

/// The names in the code's string literals: written out in full, or with a prefix that the file puts before each.
fn registered_names() -> BTreeSet<String> {
    ROOMS
        .iter()
        .flat_map(|room| files(&workspace_root().join(room).join("src")))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .flat_map(|path| quoted_names(&read(&path)))
        .collect()
}

fn quoted_names(source: &str) -> Vec<String> {
    let texts = || source.split('"');
    // `format!("luong_ingest_{name}")`
    let prefix =
        texts().find_map(|text| text.strip_suffix("{name}").filter(|text| text.starts_with("luong_")));
    let names = texts().filter(|text| !text.is_empty() && text.chars().all(is_of_name));
    match prefix {
        Some(prefix) => names.map(|name| format!("{prefix}{name}")).collect(),
        None => names.filter(|name| name.starts_with("luong_")).map(str::to_owned).collect(),
    }
}

/// The names in PromQL or code (`luong_room_thing…`), without the endings that a histogram adds.
fn metric_names(text: &str) -> BTreeSet<String> {
    text.split(|letter| !is_of_name(letter))
        .filter(|word| word.starts_with("luong_") && !word.ends_with('_') && word.split('_').count() > 2)
        .map(|name| {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
            base.unwrap_or(name).to_owned()
        })
        .collect()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[test]
fn a_metric_that_nobody_registers_is_seen() {
    let used = metric_names("rate(luong_made_up_total[5m]) / sum(luong_x_seconds_bucket{le=\"1\"})");
    assert_eq!(used, BTreeSet::from(["luong_made_up_total".to_owned(), "luong_x_seconds".to_owned()]));
    assert!(!registered_names().contains("luong_made_up_total"));
    assert_eq!(quoted_names("counter(\"luong_a_total\", \"luong_ is a prefix\")"), ["luong_a_total"]);
    let with_prefix = "format!(\"luong_a_{name}\"); counter(\"b_total\", \"What b is.\")";
    assert_eq!(quoted_names(with_prefix), ["luong_a_b_total"]);
}
