//! A look at fjall's journal before fjall opens it.
//!
//! What a crash leaves at the end of the journal was promised to nobody: half a batch, or, after a power cut, a batch
//! whose pages reached the disk out of order. fjall cuts off the first and refuses to open because of the second. It
//! also cuts at any entry that it can't make out, even when sound batches follow: then a disk has lost something in
//! the middle, and cutting would silently lose what had been acknowledged. So we look first: a bad batch at the very
//! end is cut off, anything else is refused in words.
//!
//! The format is that of fjall 3 (`journal/entry.rs` there), without compression, which our store does not use:
//! ```text
//! batch = start, items, end
//! start = 1, items u32, sequence u64
//! item  = 2, kind u8, compression u8 = 0, keyspace u64, key bytes u16, value bytes u32 (twice), key, value
//!       | 4, keyspace u64                                                      the keyspace was emptied
//! end   = 3, XXH3 of the items u64, "FJL" 3
//! ```
//! All numbers are little-endian. The journal is allocated ahead: zeros follow its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Buf;
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use super::directory::format_error;
use crate::Error;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8] = b"FJL\x03";

/// Where a journal stops making sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Soundness {
    /// Sound batches, then nothing.
    Sound,
    /// Sound batches up to here, then something else that ends the journal.
    TornAt(usize),
    /// Sound batches up to here, then something else, then sound batches again.
    BrokenAt(usize),
}

/// Checks the store's journals and cuts off a torn end.
pub(super) fn check(store: &Path) -> Result<(), Error> {
    let journals = journals(store).map_err(|error| unreadable(store, &error))?;
    for (i, path) in journals.iter().enumerate() {
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        match soundness(&bytes) {
            Soundness::Sound => {}
            Soundness::TornAt(at) if i + 1 == journals.len() => {
                warn!(journal = %path.display(), at, "the journal's torn end was cut off: a write that was never acknowledged");
                cut(path, at).map_err(|error| unreadable(path, &error))?;
            }
            Soundness::TornAt(at) | Soundness::BrokenAt(at) => {
                return Err(format_error(
                    path,
                    format!(
                        "the journal is broken at byte {at}, before records that were acknowledged: check the disk, then \
                         restore the log's directory from a backup, or move it away and start with an empty one"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Oldest first.
fn journals(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let number =
            path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let (Some(number), true) = (number, path.extension().is_some_and(|extension| extension == "jnl")) {
            journals.push((number, path));
        }
    }
    journals.sort_unstable();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

fn cut(path: &Path, at: usize) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(at as u64)?;
    file.sync_all()
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    format_error(path, format!("the journal can't be read: {error}; check the disk and its permissions"))
}

fn soundness(bytes: &[u8]) -> Soundness {
    let bytes = without_zeros_at_the_end(bytes);
    let mut at = 0;
    while let Some(length) = batch(&bytes[at..]) {
        at += length;
    }
    if at == bytes.len() {
        return Soundness::Sound;
    }
    let goes_on = (at + 1..bytes.len()).any(|i| bytes[i] == START && batch(&bytes[i..]).is_some());
    if goes_on { Soundness::BrokenAt(at) } else { Soundness::TornAt(at) }
}

/// By whole pages as far as that goes: most of a journal is zeros.
fn without_zeros_at_the_end(bytes: &[u8]) -> &[u8] {
    const ZEROS: [u8; 4_096] = [0; 4_096];
    let mut end = bytes.len();
    while end >= ZEROS.len() && bytes[end - ZEROS.len()..end] == ZEROS {
        end -= ZEROS.len();
    }
    let end = bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Length of the sound batch that `bytes` begin with.
fn batch(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    if rest.try_get_u8().ok()? != START {
        return None;
    }
    let items = rest.try_get_u32_le().ok()?;
    rest.try_get_u64_le().ok()?;
    let from = bytes.len() - rest.len();
    for _ in 0..items {
        skip_item(&mut rest)?;
    }
    let checked = &bytes[from..bytes.len() - rest.len()];
    if rest.try_get_u8().ok()? != END || rest.try_get_u64_le().ok()? != xxh3_64(checked) {
        return None;
    }
    let rest = rest.strip_prefix(TRAILER)?;
    Some(bytes.len() - rest.len())
}

fn skip_item(rest: &mut &[u8]) -> Option<()> {
    match rest.try_get_u8().ok()? {
        ITEM => {
            let (_kind, compression) = (rest.try_get_u8().ok()?, rest.try_get_u8().ok()?);
            rest.try_get_u64_le().ok()?;
            let key = usize::from(rest.try_get_u16_le().ok()?);
            let (value, on_disk) = (rest.try_get_u32_le().ok()?, rest.try_get_u32_le().ok()?);
            if compression != 0 || value != on_disk {
                return None;
            }
            *rest = rest.get(key + value as usize..)?;
        }
        CLEAR => {
            rest.try_get_u64_le().ok()?;
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    fn sound_batch(value: &[u8]) -> Vec<u8> {
        let mut items = Vec::new();
        items.put_slice(&[ITEM, 0, 0]);
        items.put_u64_le(7);
        items.put_u16_le(1);
        items.put_u32_le(value.len() as u32);
        items.put_u32_le(value.len() as u32);
        items.put_u8(b'k');
        items.put_slice(value);
        let mut batch = vec![START];
        batch.put_u32_le(1);
        batch.put_u64_le(9);
        batch.put_slice(&items);
        batch.put_u8(END);
        batch.put_u64_le(xxh3_64(&items));
        batch.put_slice(TRAILER);
        batch
    }

    #[test]
    fn an_end_is_told_from_a_tear_and_a_tear_from_a_hole() {
        let (first, second) = (sound_batch(b"first"), sound_batch(b"second"));
        let whole = [first.clone(), second.clone(), vec![0; 99]].concat();
        assert_eq!(soundness(&whole), Soundness::Sound);
        assert_eq!(soundness(&[]), Soundness::Sound);
        assert_eq!(soundness(&[0; 9_999]), Soundness::Sound);

        let mut torn = whole.clone();
        torn[first.len() + 30] ^= 1;
        assert_eq!(soundness(&torn), Soundness::TornAt(first.len()));
        assert_eq!(soundness(&whole[..first.len() + 5]), Soundness::TornAt(first.len()));

        let mut holed = whole;
        holed[20] ^= 1;
        assert_eq!(soundness(&holed), Soundness::BrokenAt(0));
    }
}
