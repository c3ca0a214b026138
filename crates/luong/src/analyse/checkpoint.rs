//! Checkpoints on disk: one file for each set of partitions, replaced atomically.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// First bytes of a checkpoint file; the last is the format's version.
const MAGIC: &[u8; 8] = b"luongcp\x01";

/// Length of the content hash that follows the magic.
const HASH_BYTES: usize = 32;

pub(super) struct Checkpoints {
    folder: PathBuf,
}

/// What was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) positions: BTreeMap<u32, u64>,
    pub(super) state: Vec<u8>,
}

impl Checkpoints {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the checkpoint of exactly these partitions, if there is one.
    pub(super) fn load(&self, owned: &[u32]) -> anyhow::Result<Option<Saved>> {
        let path = self.path(owned);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        decode(&bytes).map(Some).with_context(|| path.display().to_string())
    }

    /// Replaces the checkpoint of these partitions.
    pub(super) fn save(
        &self,
        owned: &[u32],
        positions: &BTreeMap<u32, u64>,
        state: Vec<u8>,
    ) -> anyhow::Result<()> {
        let path = self.path(owned);
        replace(&path, &encode(positions, &state)).with_context(|| format!("writing {}", path.display()))
    }

    fn path(&self, owned: &[u32]) -> PathBuf {
        let name: Vec<_> = owned.iter().map(u32::to_string).collect();
        let hash = blake3::hash(name.join(",").as_bytes());
        self.folder.join(format!("checkpoint-{}.bin", &hash.to_hex()[..16]))
    }
}

fn encode(positions: &BTreeMap<u32, u64>, state: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(state.len() + 16 * positions.len() + 8);
    body.extend((positions.len() as u32).to_le_bytes());
    for (partition, offset) in positions {
        body.extend(partition.to_le_bytes());
        body.extend(offset.to_le_bytes());
    }
    body.extend(state);
    let mut all = Vec::with_capacity(body.len() + MAGIC.len() + HASH_BYTES);
    all.extend(MAGIC);
    all.extend(blake3::hash(&body).as_bytes());
    all.extend(body);
    all
}

fn decode(bytes: &[u8]) -> anyhow::Result<Saved> {
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else { bail!("the checkpoint is too short") };
    if magic[..7] != MAGIC[..7] {
        bail!("not a checkpoint");
    }
    if magic[7] != MAGIC[7] {
        bail!("checkpoint format {} is not {}, which this version writes", magic[7], MAGIC[7]);
    }
    let (hash, mut body) = rest.split_at_checked(HASH_BYTES).context("the checkpoint is too short")?;
    if blake3::hash(body).as_bytes() != hash {
        bail!("the checkpoint is damaged");
    }
    let mut positions = BTreeMap::new();
    for _ in 0..u32::from_le_bytes(*take(&mut body)?) {
        let partition = u32::from_le_bytes(*take(&mut body)?);
        positions.insert(partition, u64::from_le_bytes(*take(&mut body)?));
    }
    Ok(Saved { positions, state: body.to_vec() })
}

fn take<'a, const N: usize>(body: &mut &'a [u8]) -> anyhow::Result<&'a [u8; N]> {
    let (head, rest) = body.split_first_chunk::<N>().context("the checkpoint is too short")?;
    *body = rest;
    Ok(head)
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_for_its_own_partitions_only() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().join("analyse"));
        let positions = BTreeMap::from([(0, 17), (3, 5)]);
        checkpoints.save(&[0, 3], &positions, vec![1, 2, 3]).unwrap();
        let saved = checkpoints.load(&[0, 3]).unwrap().unwrap();
        assert_eq!((saved.positions, saved.state), (positions, vec![1, 2, 3]));
        assert!(checkpoints.load(&[0]).unwrap().is_none());
    }

    #[test]
    fn a_damaged_newer_or_foreign_file_is_refused_in_words() {
        let good = encode(&BTreeMap::from([(0, 1)]), b"state");
        let mut newer = good.clone();
        newer[7] = 9;
        assert!(decode(&newer).unwrap_err().to_string().contains("format 9"));
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(decode(&damaged).unwrap_err().to_string().contains("damaged"));
        assert!(decode(b"something else").is_err());
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_err());
        }
    }
}
