//! Reads the file of observations: decoded on several threads, then put into the order of receipt.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use ingest::{Normaliser, Reject, native};
use model::Observation;

/// What a file held.
pub(super) struct Read {
    /// By `received_at`, then identity.
    pub(super) observations: Vec<Observation>,
    lines: usize,
    /// Reason -> how many, and the first: line number and detail.
    rejected: BTreeMap<&'static str, (usize, usize, String)>,
    /// What is odd about the longest time in which nothing was received, in words.
    pub(super) gap: Option<String>,
}

/// An observation and what orders it among those with the same identity: a hash of its line.
struct Taken {
    observation: Observation,
    line_hash: u64,
    /// Its number in the file, from 1.
    line: usize,
}

pub(super) fn read(path: &Path, normaliser: &Normaliser, threads: usize) -> anyhow::Result<Read> {
    let text = text(path).with_context(|| format!("can't read the observations {}", path.display()))?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let each = lines.len().div_ceil(threads).max(1);
    let decoded: Vec<Vec<Result<Option<Taken>, Reject>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = lines
            .chunks(each)
            .map(|chunk| scope.spawn(move || chunk.iter().map(|line| take(line, normaliser)).collect()))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("decoding does not panic")).collect()
    });
    let mut read = Read { observations: Vec::new(), lines: 0, rejected: BTreeMap::new(), gap: None };
    let mut taken = Vec::with_capacity(lines.len());
    for (i, result) in decoded.into_iter().flatten().enumerate() {
        match result {
            Ok(None) => continue,
            Ok(Some(one)) => taken.push(Taken { line: i + 1, ..one }),
            Err(reject) => {
                let entry = read.rejected.entry(reject.reason.name()).or_insert((0, i + 1, reject.detail));
                entry.0 += 1;
            }
        }
        read.lines += 1;
    }
    taken.sort_unstable_by(|a, b| {
        let key = |t: &Taken| (t.observation.received_at, t.line_hash);
        let (x, y) = (&a.observation, &b.observation);
        x.received_at
            .cmp(&y.received_at)
            .then_with(|| x.identity().cmp(&y.identity()))
            .then(key(a).cmp(&key(b)))
    });
    read.gap = judge_gaps(&taken)?;
    read.observations = taken.into_iter().map(|t| t.observation).collect();
    Ok(read)
}

/// A hole in the log may be a wrong stamp, and each of its minutes is a row for every link: one of days is refused, one of hours told.
fn judge_gaps(taken: &[Taken]) -> anyhow::Result<Option<String>> {
    const TOLD_MS: i64 = 3_600_000;
    const REFUSED_MS: i64 = 7 * 86_400_000;
    let gap_ms = |pair: &&[Taken]| pair[1].observation.received_at - pair[0].observation.received_at;
    let told = || taken.windows(2).filter(|pair| gap_ms(pair) > TOLD_MS);
    let Some(longest) = told().max_by_key(gap_ms) else { return Ok(None) };
    let [before, after] = [&longest[0], &longest[1]];
    let text = format!(
        "line {} was received at {}, and the next event, line {}, at {}",
        before.line, before.observation.received_at, after.line, after.observation.received_at
    );
    if gap_ms(&longest) > REFUSED_MS {
        bail!("{text}: more than 7 days later; mend the wrong time, or split the file there");
    }
    let (hours, gaps) = (gap_ms(&longest) as f64 / 3.6e6, told().count());
    Ok(Some(format!(
        "{text}: {hours:.1} h later, and each boundary between has its rows (gaps of more than an hour: {gaps}, the longest is told)"
    )))
}

/// Returns the whole file; gzip is told by its first bytes, whatever the name says.
fn text(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut text = Vec::new();
    if packed {
        MultiGzDecoder::new(file).read_to_end(&mut text).context("the gzip stream is damaged or cut off")?;
    } else {
        file.read_to_end(&mut text)?;
    }
    if text.is_empty() {
        bail!("it is empty");
    }
    Ok(text)
}

/// An empty line is nothing.
fn take(line: &[u8], normaliser: &Normaliser) -> Result<Option<Taken>, Reject> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(line);
    let decoded = native::decode_line(&text)?;
    let received_at = decoded.received_at.unwrap_or(decoded.event.header.at);
    let placed = normaliser.normalise(decoded.sensor.as_str(), decoded.event, received_at)?;
    Ok(Some(Taken { observation: placed.observation, line_hash: fnv(line), line: 0 }))
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

impl Read {
    /// Returns what was read and what was not used, in words.
    pub(super) fn summary(&self) -> String {
        let mut text = format!("{} events read, {} used\n", self.lines, self.observations.len());
        for (reason, (count, line, detail)) in &self.rejected {
            writeln!(text, "{count:>9}  {reason}  (line {line}: {detail})").expect("a String takes all");
        }
        text
    }
}
