//! The watermark: a file beside the store that says how far the log had come, written now and then and at the end.
//!
//! fjall cuts its journal at the first entry that it can't make out. After a crash that is the torn tail, which nobody
//! was promised; but when a disk loses something in the middle, all that follows goes with it, and silently. A log that
//! ends before its watermark has lost what it had promised, and says so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::PoisonError;
use std::{fs, io};

use super::directory::{format_error, write_whole};
use super::store::Store;
use crate::Error;

const FILE: &str = "WATERMARK";

/// Writes where each partition ends. What it says is durable already.
pub(super) fn write(store: &Store) -> io::Result<()> {
    let _alone = store.watermark.lock().unwrap_or_else(PoisonError::into_inner);
    let topics: BTreeMap<_, _> =
        store.topics().into_iter().map(|topic| (topic.name.clone(), topic.head())).collect();
    let mut text = String::new();
    for (name, head) in topics {
        let offsets: Vec<String> = head.ends.offsets.iter().map(u64::to_string).collect();
        writeln!(text, "{name}\t{}", offsets.join(" ")).map_err(io::Error::other)?;
    }
    if fs::read(store.dir().join(FILE)).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    write_whole(store.dir(), FILE, text.as_bytes())
}

/// Compares the log with its watermark.
pub(super) fn check(store: &Store) -> Result<(), Error> {
    let path = store.dir().join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format_error(&path, format!("can't be read: {error}; check its permissions")));
        }
    };
    for line in text.lines() {
        let Some((name, offsets)) = line.split_once('\t') else { continue };
        let ends = store.topic(name).map(|topic| topic.head().ends.offsets.clone()).unwrap_or_default();
        for (partition, before) in offsets.split(' ').enumerate() {
            let before: u64 = before.parse().unwrap_or(0);
            let end = ends.get(partition).copied().unwrap_or(0);
            if end < before {
                return Err(format_error(
                    store.dir(),
                    format!(
                        "topic {name} partition {partition} ends at offset {end} but was durable up to {before}: the disk \
                         lost records; check it, then restore the directory from a backup, or delete {FILE} to go on \
                         without them"
                    ),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Config;
    use crate::{Cleanup, TopicSpec};

    #[test]
    fn closing_and_the_retention_may_write_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("log"), &Config::default()).unwrap();
        let retention = std::time::Duration::from_secs(3600);
        let topic = |n: u32| TopicSpec {
            name: format!("topic-{n}").into(),
            partitions: 1,
            cleanup: Cleanup::Delete { retention },
        };
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..20).for_each(|_| write(&store).unwrap()));
            }
            // Each new topic makes the text another one, so that there is something to write.
            (0..20).for_each(|n| store.ensure_topic(&topic(n)).map(drop).unwrap());
        });
    }
}
