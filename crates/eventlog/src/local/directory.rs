//! The directory: one process at a time, and only what this version can read.
//!
//! ```text
//! LOCK       held while the log is open
//! FORMAT     one line that says which version wrote this
//! store/     fjall's
//! store.new/ a store that was not finished when the process ended; thrown away
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;

const FORMAT: &str = "luong eventlog, local format 1\n";
const FORMAT_PREFIX: &str = "luong eventlog, local format ";

/// An open log directory; the lock goes with it.
pub(super) struct Directory {
    path: PathBuf,
    store: PathBuf,
    #[expect(dead_code, reason = "held for its lock, which ends when the file is closed")]
    lock: File,
}

impl Directory {
    /// Locks the directory, creating it if need be, and checks its format.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let unusable = |error: io::Error| {
            format_error(
                dir,
                format!("the log's directory can't be used: {error}; check log.dir and its permissions"),
            )
        };
        fs::create_dir_all(dir).map_err(unusable)?;
        let lock = lock(dir)?;
        match fs::read(dir.join("FORMAT")) {
            Ok(text) => check(dir, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => initialise(dir)?,
            Err(error) => return Err(unusable(error)),
        }
        Ok(Self { path: dir.to_owned(), store: dir.join("store"), lock })
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store is.
    pub(super) fn store(&self) -> &Path {
        &self.store
    }

    /// Makes the store by `create` in a place of its own, so that a crash never leaves half a store behind.
    pub(super) fn create_store<E: From<io::Error>>(
        &self,
        create: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let unfinished = self.store.with_extension("new");
        if unfinished.try_exists()? {
            fs::remove_dir_all(&unfinished)?;
        }
        create(&unfinished)?;
        fs::rename(&unfinished, &self.store)?;
        Ok(sync(&self.path)?)
    }
}

/// Says in words what is wrong with a file or folder of the log.
pub(super) fn format_error(path: &Path, detail: impl Into<String>) -> Error {
    Error::Format { path: path.display().to_string(), detail: detail.into() }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("LOCK");
    let open = || File::options().create(true).truncate(false).write(true).open(&path);
    let file = open()
        .map_err(|error| format_error(&path, format!("can't be opened: {error}; check its permissions")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format_error(
            dir,
            "another process has this log open; stop it, or give this one a directory of its own (log.dir, --data-dir)",
        )),
        Err(TryLockError::Error(error)) => Err(format_error(
            &path,
            format!("can't be locked: {error}; put the log on a file system that has locks"),
        )),
    }
}

fn check(dir: &Path, text: &[u8]) -> Result<(), Error> {
    let path = dir.join("FORMAT");
    if text == FORMAT.as_bytes() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(text);
    match text.strip_prefix(FORMAT_PREFIX).map(|version| version.trim_end().parse::<u32>()) {
        Some(Ok(version)) => Err(format_error(
            &path,
            format!(
                "the log has format {version}, this program reads format 1; use the program that wrote it or a newer one"
            ),
        )),
        _ => Err(format_error(
            &path,
            "this is not what a log's format file says; restore it from a backup, or choose another log.dir",
        )),
    }
}

fn initialise(dir: &Path) -> Result<(), Error> {
    if dir.join("store").exists() {
        return Err(format_error(
            dir,
            "there is a store but no FORMAT file, so nobody can tell what wrote it; restore FORMAT from a backup, or choose another log.dir",
        ));
    }
    write_whole(dir, "FORMAT", FORMAT.as_bytes()).map_err(|error| {
        format_error(dir, format!("FORMAT can't be written: {error}; check free space and permissions"))
    })
}

/// Writes a file so that it is there wholly or not at all.
pub(super) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = dir.join(format!("{name}.new"));
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, dir.join(name))?;
    sync(dir)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
