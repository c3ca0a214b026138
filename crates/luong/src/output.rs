//! Files that are put in their place when they are whole, so that a run that fails leaves the old one, or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::{Builder, NamedTempFile};

use crate::BadArguments;

/// A file that is being written.
pub(crate) enum Output {
    /// Beside its place, under a name that nobody else has.
    Beside { part: BufWriter<NamedTempFile>, place: PathBuf },
    /// A pipe, a terminal: what is written is gone.
    Stream(BufWriter<File>),
}

impl Output {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        Self::open(path).with_context(|| format!("can't write {}", path.display()))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let Some(place) = place(path) else { return Ok(Self::Stream(BufWriter::new(File::create(path)?))) };
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let part = Builder::new()
            .prefix(name)
            .suffix(".part")
            .permissions(usual_permissions())
            .tempfile_in(folder)?;
        Ok(Self::Beside { part: BufWriter::new(part), place })
    }

    /// Puts the file in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Stream(mut file) => file.flush(),
            Self::Beside { part, place } => {
                let part = part.into_inner()?;
                part.as_file().sync_all()?;
                part.persist(place)?;
                Ok(())
            }
        }
    }
}

/// What a new file has by the user's mask; temporary ones are their owner's alone.
fn usual_permissions() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside { part, .. } => part.write(bytes),
            Self::Stream(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside { part, .. } => part.flush(),
            Self::Stream(file) => file.flush(),
        }
    }
}

/// Returns where a file is or would be, whatever the path to it; none for what is no file, as a pipe or a terminal.
fn place(path: &Path) -> Option<PathBuf> {
    if path.starts_with("/dev") || path.metadata().is_ok_and(|found| !found.is_file()) {
        return None;
    }
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there = fs::canonicalize(path).or_else(|_| Ok(fs::canonicalize(folder)?.join(name)));
    Some(there.unwrap_or_else(|_: io::Error| path.to_owned()))
}

/// Refuses two arguments that name one file: what is written there would take the place of what was read or written.
pub(crate) fn refuse_same(files: &[(&str, &Path)]) -> anyhow::Result<()> {
    let places: Vec<_> = files.iter().map(|(argument, path)| (argument, path, place(path))).collect();
    for (i, (argument, path, place)) in places.iter().enumerate() {
        let same = places[..i].iter().find(|before| place.is_some() && before.2 == *place);
        if let Some((before, ..)) = same {
            let text = format!("{before} and {argument} are the same file, {}; name two", path.display());
            return Err(BadArguments(text).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        fs::read_dir(folder).unwrap().map(name).collect()
    }

    #[test]
    fn a_file_is_in_its_place_when_it_is_whole_and_nothing_is_left_of_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("states.csv");
        fs::write(&path, "old").unwrap();
        let mut half = Output::create(&path).unwrap();
        half.write_all(b"ha").unwrap();
        drop(half);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path()).len()), ("old", 1));
        let mut whole = Output::create(&path).unwrap();
        whole.write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path()).len()), ("new", 1));
    }

    #[test]
    fn others_may_read_it_as_they_may_any_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, usual) = (folder.path().join("states.csv"), folder.path().join("usual"));
        fs::write(&usual, "").unwrap();
        Output::create(&path).unwrap().finish().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&usual));
    }

    #[test]
    fn a_link_to_a_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = Output::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn one_file_by_two_paths_is_refused_by_both_arguments_whether_it_is_there_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("there"), "").unwrap();
        fs::create_dir(path("sub")).unwrap();
        std::os::unix::fs::symlink(path("there"), path("link")).unwrap();
        for (a, b) in [("there", "there"), ("there", "link"), ("new", "new"), ("new", "sub/../new")] {
            let error =
                refuse_same(&[("--in", &path(a)), ("--other", &path("x")), ("--out", &path(b))]).unwrap_err();
            assert!(error.is::<BadArguments>(), "{a} {b}");
            assert!(error.to_string().contains("--in and --out are the same file"), "{a} {b}: {error}");
        }
        refuse_same(&[("--in", &path("there")), ("--out", &path("new"))]).unwrap();
        refuse_same(&[("--out", Path::new("/dev/null")), ("--events", Path::new("/dev/null"))]).unwrap();
    }

    #[test]
    fn what_is_no_file_is_written_to_at_once() {
        let mut null = Output::create(Path::new("/dev/null")).unwrap();
        null.write_all(b"gone").unwrap();
        null.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(Output::create(folder.path()).is_err(), "a folder");
        assert!(Output::create(&folder.path().join("no/such")).is_err(), "no folder");
    }
}
