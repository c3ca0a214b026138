//! Configuration: `defaults.toml`, overlaid by one file, then the environment, then `--set`.
//!
//! `defaults.toml` is the schema too: it names every key, with its default, its type and a comment that `luong config`
//! prints. A key that it does not name is an error that names the nearest one.

mod layer;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toml_edit::DocumentMut;

pub(crate) use settings::{LogBackend, OFF, Settings, listener};

const DEFAULTS: &str = include_str!("config/defaults.toml");

/// Prefix of environment variables that set keys: `LUONG__GATEWAY__LISTEN`.
const ENVIRONMENT_PREFIX: &str = "LUONG__";

/// Where configuration comes from, beside the defaults.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Sets one key, e.g. --set gateway.listen=127.0.0.1:0 (repeatable; wins over file and environment).
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Where everything that is written to disk goes.
    #[arg(long, global = true, value_name = "DIR", default_value = "./luong-data")]
    pub(crate) data_dir: PathBuf,
}

/// The effective configuration, as values and as a commented document.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    document: DocumentMut,
}

impl Config {
    /// Puts the layers together.
    pub(crate) fn load(
        sources: &Sources,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut document: DocumentMut = DEFAULTS.parse().expect("defaults.toml is checked by a test");
        if let Some(path) = &sources.config {
            layer::overlay_file(&mut document, path)?;
        }
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            let key = name[ENVIRONMENT_PREFIX.len()..].to_lowercase().replace("__", ".");
            layer::set(&mut document, &key, &value)
                .with_context(|| format!("environment variable {name}"))?;
        }
        for assignment in &sources.set {
            let (key, value) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: write it as section.key=value"))?;
            layer::set(&mut document, key.trim(), value.trim())
                .with_context(|| format!("--set {assignment}"))?;
        }
        let mut settings: Settings =
            toml_edit::de::from_document(document.clone()).context("configuration")?;
        settings.data_dir = sources.data_dir.clone();
        settings.spread();
        settings.check()?;
        Ok(Self { settings, document })
    }

    /// Returns the document with its comments, secrets hidden.
    pub(crate) fn commented(&self) -> String {
        let mut shown = self.document.clone();
        layer::hide_secrets(shown.as_table_mut());
        shown.to_string()
    }
}

/// Returns the file's bytes as text.
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Fails with the nearest known key.
fn unknown_key(document: &DocumentMut, key: &str) -> anyhow::Result<()> {
    let known = layer::all_keys(document.as_table());
    let nearest = known.iter().min_by_key(|known| (strsim::damerau_levenshtein(key, known), *known));
    let nearest = nearest.expect("there are defaults");
    bail!("unknown key {key}; the nearest is {nearest}, and `luong config` prints all")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(set: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let sources = Sources { set: set.iter().map(|s| (*s).to_owned()).collect(), ..Sources::default() };
        Config::load(&sources, environment.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())))
    }

    #[test]
    fn set_wins_over_environment_and_environment_over_defaults() {
        let environment = [("LUONG__GATEWAY__LISTEN", "127.0.0.1:7"), ("LUONG__LOG__PARTITIONS", "3")];
        let config = load(&["gateway.listen=127.0.0.1:9"], &environment).unwrap();
        assert_eq!(config.settings.gateway.listen, "127.0.0.1:9");
        assert_eq!(config.settings.log.partitions, 3);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let error = format!("{:#}", load(&["gateway.listn=x"], &[]).unwrap_err());
        assert!(error.contains("gateway.listen"), "{error}");
        let error = format!("{:#}", load(&[], &[("LUONG__CLOCK__MODUS", "x")]).unwrap_err());
        assert!(error.contains("LUONG__CLOCK__MODUS") && error.contains("clock.mode"), "{error}");
        let error = format!("{:#}", load(&["analyser.nope=1"], &[]).unwrap_err());
        assert!(error.contains("unknown key analyser.nope; the nearest is analyse"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_says_what_is_wanted() {
        let error = format!("{:#}", load(&["log.partitions=many"], &[]).unwrap_err());
        assert!(error.contains("log.partitions") && error.contains("integer"), "{error}");
    }

    #[test]
    fn no_number_of_the_analyser_can_be_anything() {
        let document: DocumentMut = DEFAULTS.parse().unwrap();
        let mut wrong = 0;
        for (key, value) in layer::values(document.as_table()) {
            let values: &[&str] = match (key.starts_with("analyser."), value.type_name()) {
                (true, "float") => &["nan", "inf", "-inf", "-1.0", "1e18"],
                (true, "integer") => &["4000000000"],
                (true, "array") => {
                    &["[nan, 2.0, 3.0, 4.0, 5.0]", "[1.0, 2.0, 3.0, 4.0, inf]", "[1.0, 2.0, 2.0, 3.0, 4.0]"]
                }
                _ => &[],
            };
            for value in values {
                let error = format!("{:#}", load(&[&format!("{key}={value}")], &[]).unwrap_err());
                assert!(
                    error.contains(&format!("{key} is ")) && error.contains("it must be "),
                    "{key}={value}: {error}"
                );
                wrong += 1;
            }
        }
        assert!(wrong > 200, "{wrong} tried");
    }

    #[test]
    fn secrets_are_not_printed() {
        let config =
            load(&["log.kafka.client.sasl.password=hush", "mqtt.broker=mqtt://user:hush@127.0.0.1"], &[])
                .unwrap();
        assert!(!config.commented().contains("hush"));
        assert_eq!(config.settings.log.kafka.client["sasl.password"], "hush");
    }

    #[test]
    fn what_can_never_be_listened_on_or_played_is_refused_before_anything_starts() {
        for wrong in [
            "gateway.listen=abc",
            "admin.listen=127.0.0.1:99999",
            "mqtt.broker=foo",
            "simulator.scenario=nope",
        ] {
            let (key, _) = wrong.split_once('=').unwrap();
            let error = format!("{:#}", load(&[wrong], &[]).unwrap_err());
            assert!(error.contains(key), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_rooms() {
        let settings = load(&[], &[]).unwrap().settings;
        assert_eq!(settings.log.local, eventlog::local::Config::default());
        assert_eq!(settings.log.kafka, eventlog::kafka::Config::default());
        assert_eq!(settings.ingest, ingest::Config::default());
        assert_eq!(settings.analyser, congestion::Config::default());
        assert_eq!(settings.gateway.limits, gateway::Config::default());
    }

    #[test]
    fn every_key_of_a_room_can_be_set() {
        fn keys(section: &str, room: &impl serde::Serialize) -> Vec<String> {
            let text = toml_edit::ser::to_string_pretty(room).unwrap();
            let document: DocumentMut = text.parse().unwrap();
            layer::all_keys(document.as_table()).iter().map(|key| format!("{section}.{key}")).collect()
        }
        // Both are told by clock.max_skew_s.
        const TOLD_ELSEWHERE: [&str; 2] = ["analyser.max_skew_s", "ingest.rules.max_skew_s"];
        let document: DocumentMut = DEFAULTS.parse().unwrap();
        let known = layer::all_keys(document.as_table());
        let rooms = [
            keys("log.local", &eventlog::local::Config::default()),
            keys("log.kafka", &eventlog::kafka::Config::default()),
            keys("ingest", &ingest::Config::default()),
            keys("analyser", &congestion::Config::default()),
            keys("gateway", &gateway::Config::default()),
        ];
        let missing: Vec<_> = rooms
            .concat()
            .into_iter()
            .filter(|key| !known.contains(key) && !TOLD_ELSEWHERE.contains(&key.as_str()))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn every_key_has_a_comment() {
        let document: DocumentMut = DEFAULTS.parse().unwrap();
        assert_eq!(layer::keys_without_comment(document.as_table()), Vec::<String>::new());
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("luong.toml");
        let first = load(&["log.partitions=5"], &[]).unwrap();
        std::fs::write(&path, first.commented()).unwrap();
        let again = Config::load(&Sources { config: Some(path), ..Sources::default() }, []).unwrap();
        assert_eq!(again.commented(), first.commented());
    }
}
