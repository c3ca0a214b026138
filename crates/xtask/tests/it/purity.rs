//! What manifests can't say: no clock, no environment and no chance in the pure rooms; the environment and signals in
//! the programs alone.

use std::{fs, path::Path};

/// Text that must not stand in the sources of these rooms (their tests may do as they like).
const FORBIDDEN: [(&[&str], &[&str], &str); 4] = [
    (
        &["model", "roadnet", "congestion"],
        &["Instant::now", "SystemTime", "Timestamp::now(", "Zoned::now", "std::thread", "std::net", "rand::"],
        "time, chance and threads are arguments",
    ),
    (&["congestion"], &["HashMap::new()", "HashSet::new()", "RandomState"], "its order differs at every run"),
    (
        &["model", "roadnet", "congestion", "wire", "eventlog", "ingest", "gateway"],
        &["std::env::", "env::var", "env::args", "tokio::signal", "process::exit"],
        "the environment and signals belong to the programs",
    ),
    (&["model", "congestion"], &["std::fs", "File::open", "std::io::"], "it is handed values, not files"),
];

#[test]
fn no_room_reaches_for_what_it_must_be_handed() {
    let mut found = Vec::new();
    for (rooms, texts, reason) in FORBIDDEN {
        for room in rooms {
            let folder = testbed::workspace_root().join("crates").join(room).join("src");
            found.extend(in_folder(&folder, texts).into_iter().map(|place| format!("{place}: {reason}")));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn in_folder(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(in_folder(&path, texts));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_tests(&path) {
            let source = fs::read_to_string(&path).unwrap();
            found.extend(in_source(&source, texts).iter().map(|hit| format!("{}:{hit}", path.display())));
        }
    }
    found
}

/// `foo/tests.rs` and `testing.rs` are compiled for tests only.
fn is_tests(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing")
}

/// Comments may name what the code must not do; the tests at the end of a file may do it.
fn in_source(source: &str, texts: &[&str]) -> Vec<String> {
    let code = source.split_once("#[cfg(test)]\nmod tests {").map_or(source, |(code, _)| code);
    code.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter_map(|(index, line)| {
            let text = texts.iter().find(|text| line.contains(**text))?;
            Some(format!("{}: `{text}`", index + 1))
        })
        .collect()
}

#[test]
fn a_clock_in_the_code_is_seen_and_one_in_a_comment_or_a_test_is_not() {
    let source = "//! No SystemTime here.\nlet a = 1;\nlet now = SystemTime::now();\n#[cfg(test)]\nmod tests {\nSystemTime::now()\n}\n";
    assert_eq!(in_source(source, &["SystemTime"]), ["3: `SystemTime`"]);
}
