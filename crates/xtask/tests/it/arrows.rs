//! The floor plan of the rooms, held against `cargo metadata`.
//!
//! One direction, no circles: what stands here is all that a crate may see. A new crate, or a new arrow, is a change
//! of the architecture and starts with a line in this file (and in ARCHITECTURE.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Who may depend on which of our own crates, floor by floor.
const FLOOR_PLAN: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("eventlog", &[]),
    ("roadnet", &["model"]),
    ("wire", &["model"]),
    ("ingest", &["model", "roadnet", "wire", "eventlog"]),
    ("congestion", &["model", "roadnet"]),
    ("gateway", &["model", "roadnet", "wire", "eventlog"]),
    ("simulator", &["model", "roadnet"]),
    ("luong", &["model", "roadnet", "wire", "eventlog", "ingest", "congestion", "gateway", "simulator"]),
    ("testbed", &[]),
    ("xtask", &["testbed"]),
    (
        "benches",
        &["model", "roadnet", "wire", "eventlog", "ingest", "congestion", "gateway", "simulator", "testbed"],
    ),
];

/// Crates of others that only some of ours may name, with the reason. A trailing `*` stands for any ending. The
/// benches measure them beside us and may name all.
const KEPT_TO: [(&str, &[&str], &str); 18] = [
    ("prost*", &["wire"], "protobuf types stop at `wire`; every other room speaks `model`"),
    ("protox*", &["wire"], "code is generated in `wire`"),
    ("tonic", &["wire", "gateway"], "gRPC is served by `gateway` and typed by `wire`"),
    ("tonic-prost*", &["wire"], "code is generated in `wire`"),
    ("tonic-*", &["wire", "gateway"], "gRPC is served by `gateway` and typed by `wire`"),
    ("rdkafka*", &["eventlog"], "the log's kind is nobody else's business"),
    ("fjall", &["eventlog"], "the log's kind is nobody else's business"),
    ("rumqttc*", &["ingest", "simulator"], "MQTT comes in at `ingest` and leaves the simulator"),
    ("osmpbf", &["roadnet"], "maps are read in `roadnet`"),
    ("petgraph", &["roadnet"], "the graph is `roadnet`'s inside"),
    ("rstar", &["roadnet"], "the spatial index is `roadnet`'s inside"),
    ("axum", &["gateway", "luong"], "HTTP is the gateway's page and the admin endpoint"),
    ("anyhow", &BINARIES, "a library's errors are types"),
    ("clap*", &BINARIES, "a library has no command line"),
    ("tracing-subscriber", &BINARIES, "who logs where is the program's choice"),
    ("indicatif", &BINARIES, "a library does not draw"),
    ("crossterm", &BINARIES, "a library does not draw"),
    ("toml", &BINARIES, "a library is handed its configuration"),
];

const BINARIES: [&str; 3] = ["luong", "simulator", "xtask"];

/// The rooms that are functions of what they are handed, and what must not be under them at any depth.
const PURE: [&str; 3] = ["model", "roadnet", "congestion"];
const IMPURE: [&str; 13] = [
    "tokio*",
    "async-*",
    "futures*",
    "mio",
    "socket2",
    "hyper*",
    "tonic*",
    "prost*",
    "prometheus",
    "tracing*",
    "rdkafka*",
    "fjall",
    "rumqttc*",
];

/// What the two strictest rooms may name at all: values, text, arithmetic; nothing that can open a file or a socket.
const VALUES_ONLY: [(&str, &[&str]); 2] = [
    ("model", &["compact_str", "jiff", "serde", "thiserror"]),
    ("congestion", &["compact_str", "postcard", "rustc-hash", "serde", "thiserror"]),
];

/// A crate with such a name becomes the room where everything is thrown.
const NO_NAMES: [&str; 7] = ["common", "util", "utils", "core", "prelude", "helpers", "shared"];

/// Dev-dependencies follow the same plan, except for these: the test machinery, and what a test of the whole service
/// talks to it with.
fn may_test_with(name: &str, other: &str) -> bool {
    other == "testbed" || (name == "luong" && ["rumqttc", "tonic"].contains(&other))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    to: String,
    for_tests: bool,
}

/// Our crates with what each manifest names, and everything that stands below each package of the lock file.
#[derive(Default)]
struct Building {
    ours: BTreeMap<String, Vec<Arrow>>,
    below: BTreeMap<String, BTreeSet<String>>,
}

#[test]
fn no_arrow_of_the_floor_plan_is_broken() {
    let broken = broken_arrows(&building());
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn broken_arrows(building: &Building) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, arrows) in &building.ours {
        broken.extend(bad_name(name));
        let Some((_, may)) = FLOOR_PLAN.iter().find(|(room, _)| room == name) else {
            broken.push(format!("`{name}` stands on no floor: add it to the floor plan"));
            continue;
        };
        for arrow in arrows.iter().filter(|arrow| !(arrow.for_tests && may_test_with(name, &arrow.to))) {
            if building.ours.contains_key(&arrow.to) && !may.contains(&arrow.to.as_str()) {
                broken.push(format!("`{name}` must not see `{}`", arrow.to));
            }
            broken.extend(kept_to_others(name, &arrow.to));
            broken.extend(more_than_values(name, arrow, building));
        }
    }
    broken.extend(impure(building));
    broken
}

fn bad_name(name: &str) -> Option<String> {
    let bad = name.split(['-', '_']).find(|word| NO_NAMES.contains(word))?;
    Some(format!("`{name}` has `{bad}` in its name: a room is called after what it holds"))
}

fn kept_to_others(name: &str, to: &str) -> Option<String> {
    let (_, only, reason) = KEPT_TO.iter().find(|(pattern, ..)| matches(pattern, to))?;
    let may = name == "benches" || only.contains(&name);
    (!may).then(|| format!("`{name}` must not name `{to}`: {reason}"))
}

fn more_than_values(name: &str, arrow: &Arrow, building: &Building) -> Option<String> {
    let (_, may) = VALUES_ONLY.iter().find(|(room, _)| *room == name)?;
    let fine = arrow.for_tests || building.ours.contains_key(&arrow.to) || may.contains(&arrow.to.as_str());
    (!fine).then(|| format!("`{name}` is values and arithmetic; it must not name `{}`", arrow.to))
}

fn impure(building: &Building) -> Vec<String> {
    let reaches = |room: &str| building.below.get(room).into_iter().flatten();
    let is_impure = |other: &&String| IMPURE.iter().any(|pattern| matches(pattern, other));
    PURE.iter()
        .flat_map(|room| reaches(room).filter(is_impure).map(move |other| (room, other)))
        .map(|(room, other)| format!("`{room}` is pure, but `{other}` stands somewhere below it"))
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn building() -> Building {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(testbed::workspace_root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&serde_json::from_slice(&output.stdout).unwrap())
}

fn read(metadata: &Value) -> Building {
    let members: Vec<&str> = list(&metadata["workspace_members"]).iter().filter_map(Value::as_str).collect();
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let ours = list(&metadata["packages"])
        .iter()
        .filter(|package| members.contains(&text(&package["id"])))
        .map(|package| (text(&package["name"]).to_owned(), named(package)))
        .collect();
    let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let linked = list(&node["deps"]).iter().filter(|dependency| is_linked(dependency));
        direct.insert(text(&node["id"]), linked.map(|dependency| text(&dependency["pkg"])).collect());
    }
    let below = members.iter().map(|id| (names[id].to_owned(), all_below(id, &direct, &names))).collect();
    Building { ours, below }
}

fn named(package: &Value) -> Vec<Arrow> {
    list(&package["dependencies"])
        .iter()
        .map(|dependency| Arrow {
            to: text(&dependency["name"]).to_owned(),
            for_tests: dependency["kind"] == "dev",
        })
        .collect()
}

/// A normal dependency ends up in the program; those of builds and tests do not.
fn is_linked(dependency: &Value) -> bool {
    list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
}

fn all_below(id: &str, direct: &BTreeMap<&str, Vec<&str>>, names: &BTreeMap<&str, &str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = direct.get(id).cloned().unwrap_or_default();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(direct.get(id).into_iter().flatten());
        }
    }
    seen.iter().map(|id| names[id].to_owned()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A checker that can't fail checks nothing: buildings with one broken arrow each.
mod broken {
    use super::*;

    fn with(arrows: &[(&str, &str)]) -> Building {
        let mut building = Building::default();
        for (room, _) in FLOOR_PLAN {
            building.ours.insert(room.to_owned(), Vec::new());
        }
        for (from, to) in arrows {
            let arrow = Arrow { to: (*to).to_owned(), for_tests: false };
            building.ours.entry((*from).to_owned()).or_default().push(arrow);
        }
        building
    }

    fn only_complaint(building: &Building) -> String {
        let broken = broken_arrows(building);
        assert_eq!(broken.len(), 1, "{broken:?}");
        broken.into_iter().next().unwrap()
    }

    #[test]
    fn the_floor_plan_itself_has_no_circle() {
        for (index, (_, below)) in FLOOR_PLAN.iter().enumerate() {
            for room in *below {
                let at = FLOOR_PLAN.iter().position(|(name, _)| name == room).unwrap();
                assert!(at < index, "`{room}` must stand before who sees it");
            }
        }
    }

    #[test]
    fn two_rooms_of_one_floor_must_not_see_each_other() {
        assert_eq!(only_complaint(&with(&[("ingest", "congestion")])), "`ingest` must not see `congestion`");
    }

    #[test]
    fn an_arrow_up_is_seen() {
        assert_eq!(only_complaint(&with(&[("model", "roadnet")])), "`model` must not see `roadnet`");
    }

    #[test]
    fn a_dependency_kept_to_one_room_is_seen_elsewhere() {
        for (room, name) in
            [("gateway", "prost-types"), ("ingest", "rdkafka"), ("gateway", "rumqttc"), ("ingest", "tonic")]
        {
            let complaint = only_complaint(&with(&[(room, name)]));
            assert!(complaint.starts_with(&format!("`{room}` must not name `{name}`")), "{complaint}");
        }
        assert!(only_complaint(&with(&[("gateway", "tonic-prost")])).contains("generated in `wire`"));
        assert!(
            broken_arrows(&with(&[("gateway", "tonic-health"), ("wire", "prost"), ("benches", "fjall")]))
                .is_empty()
        );
    }

    #[test]
    fn a_file_format_in_a_room_of_values_is_seen() {
        assert!(only_complaint(&with(&[("congestion", "csv")])).contains("values and arithmetic"));
    }

    #[test]
    fn a_runtime_deep_below_a_pure_room_is_seen() {
        let mut building = with(&[]);
        building.below.insert("roadnet".to_owned(), BTreeSet::from(["tokio-util".to_owned()]));
        assert!(only_complaint(&building).contains("`roadnet` is pure, but `tokio-util`"));
    }

    #[test]
    fn a_junk_room_and_a_room_without_a_floor_are_seen() {
        let mut building = with(&[]);
        building.ours.insert("luong-common".to_owned(), Vec::new());
        let broken = broken_arrows(&building);
        assert!(broken[0].contains("has `common` in its name"), "{broken:?}");
        assert!(broken[1].contains("stands on no floor"), "{broken:?}");
    }

    #[test]
    fn cargo_metadata_is_read_with_what_stands_below() {
        let metadata = serde_json::json!({
            "workspace_members": ["m"],
            "packages": [
                {"id": "m", "name": "model", "dependencies": [
                    {"name": "serde", "kind": null}, {"name": "proptest", "kind": "dev"}]},
                {"id": "s", "name": "serde", "dependencies": []},
                {"id": "t", "name": "tokio", "dependencies": []},
                {"id": "p", "name": "proptest", "dependencies": []}],
            "resolve": {"nodes": [
                {"id": "m", "deps": [
                    {"pkg": "s", "dep_kinds": [{"kind": null}]}, {"pkg": "p", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "s", "deps": [{"pkg": "t", "dep_kinds": [{"kind": null}]}]},
                {"id": "t", "deps": []}, {"id": "p", "deps": []}]},
        });
        let building = read(&metadata);
        assert_eq!(building.below["model"], BTreeSet::from(["serde".to_owned(), "tokio".to_owned()]));
        assert!(building.ours["model"].contains(&Arrow { to: "proptest".to_owned(), for_tests: true }));
    }
}
