//! What each start of Kafka would do again: formatting its folder (a JVM of its own), and loading 10,000 classes. Both
//! are done once and kept beside the jars; that makes a start take half as long.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{CLUSTER_ID, PATIENCE, READY, StartError, jars, jvm, properties};
use crate::{Kafka, Program, Signal, place::scratch, port};

/// A formatted folder, and an archive of loaded classes.
#[derive(Debug)]
pub(super) struct Prepared {
    folder: PathBuf,
}

impl Prepared {
    /// Returns what was prepared, after preparing it if nobody has.
    pub(super) fn get(java: &Path) -> Result<Self, StartError> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = jars().with_file_name(format!("prepared-{}", Kafka::VERSION));
        if !folder.exists() {
            prepare(java, &folder)?;
        }
        Ok(Self { folder })
    }

    /// Puts a formatted data folder into a server's folder.
    pub(super) fn copy_data(&self, server: &Path) -> io::Result<()> {
        copy_files(&self.folder.join("data"), &server.join("data"))
    }

    /// The JVM ignores an archive that does not fit it.
    pub(super) fn class_archive(&self) -> PathBuf {
        self.folder.join("classes.jsa")
    }
}

/// Does it in a folder that is moved into place when all is there: another test process may be doing the same.
fn prepare(java: &Path, folder: &Path) -> Result<(), StartError> {
    let server = scratch("kafka")?;
    let made = server.path().join("prepared");
    fs::write(
        server.path().join("server.properties"),
        properties(port::free(), port::free(), server.path()),
    )?;
    format(java, server.path())?;
    copy_files(&server.path().join("data"), &made.join("data"))?;
    archive_classes(java, server.path(), &made.join("classes.jsa"))?;
    match fs::rename(&made, folder) {
        Err(error) if !folder.exists() => Err(error.into()),
        _ => Ok(()),
    }
}

fn format(java: &Path, server: &Path) -> Result<(), StartError> {
    let mut command = jvm(java, server);
    command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties"]);
    let mut program = Program::spawn_command(command)?;
    let status = program.wait(PATIENCE)?;
    if status.success() { Ok(()) } else { Err(StartError::Format(program.stdout() + &program.stderr())) }
}

/// Runs a server once; at its end in order the JVM writes down what it had loaded.
fn archive_classes(java: &Path, server: &Path, archive: &Path) -> Result<(), StartError> {
    let mut command = jvm(java, server);
    // The class path comes before the program's name, and options of the JVM may follow it.
    command
        .arg(format!("-XX:ArchiveClassesAtExit={}", archive.display()))
        .args(["kafka.Kafka", "server.properties"]);
    let mut program = Program::spawn_command(command)?;
    program.wait_for_text(READY, PATIENCE)?;
    program.signal(Signal::Terminate)?;
    program.wait(PATIENCE)?;
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
