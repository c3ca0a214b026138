//! A real Mosquitto, with the windows that we ship in `deploy/mosquitto.conf`.

use std::{fs, io, path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::{
    Missing, Program, ProgramError, Signal,
    place::{executable, scratch},
    port,
};

/// The configuration that operators get is the one that every test runs with.
const SHIPPED: &str = include_str!("../../../deploy/mosquitto.conf");

/// Settings of [`SHIPPED`] that say where this broker stands; a test's broker stands elsewhere.
const PLACES: [&str; 4] = ["listener", "persistence_location", "log_dest", "user"];

const COMPONENT: &str = "Mosquitto";

/// Mosquitto starts in a few milliseconds; two busy cores can make that seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// A Mosquitto of this test's own, on a free loopback port, with persistence in a folder that goes with it.
#[derive(Debug)]
pub struct Mosquitto {
    binary: PathBuf,
    port: u16,
    folder: TempDir,
    program: Program,
}

impl Mosquitto {
    /// Starts one and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// [`Missing::Absent`] without the program; [`Missing::Broken`] when it does not come up.
    pub fn start() -> Result<Self, Missing> {
        Self::start_with("")
    }

    /// Starts one with `settings` (lines of `mosquitto.conf`) in place of the shipped lines of the same name.
    ///
    /// # Errors
    ///
    /// As [`Mosquitto::start`].
    pub fn start_with(settings: &str) -> Result<Self, Missing> {
        let binary = executable(&["mosquitto"]).ok_or_else(|| Missing::Absent {
            component: COMPONENT,
            reason: "no `mosquitto` on the PATH or in /usr/sbin".to_owned(),
        })?;
        let mut last = None;
        for _ in 0..port::TRIES {
            match Self::start_on(binary.clone(), port::free(), settings) {
                Err(StartError::Program(error)) if error.to_string().contains("Address already in use") => {
                    last = Some(error.to_string());
                }
                other => return other.map_err(|error| broken(&error)),
            }
        }
        Err(Missing::Broken { component: COMPONENT, reason: last.unwrap_or_default() })
    }

    fn start_on(binary: PathBuf, port: u16, settings: &str) -> Result<Self, StartError> {
        let folder = scratch("mosquitto")?;
        fs::write(folder.path().join("mosquitto.conf"), configuration(port, &folder, settings))?;
        let program = launch(&binary, &folder)?;
        Ok(Self { binary, port, folder, program })
    }

    /// Returns the port that it listens on, on 127.0.0.1. It stays the same over restarts.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its address as a URL, `mqtt://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Returns what it has logged since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.stderr()
    }

    /// Waits for a line of its log that contains `text`: a client's connection or end, for one.
    ///
    /// # Errors
    ///
    /// As [`Program::wait_for`].
    pub fn wait_for_log(&mut self, text: &str, patience: Duration) -> Result<String, ProgramError> {
        self.program.wait_for_text(text, patience)
    }

    /// Kills it (SIGKILL). Mosquitto then forgets what it took since it last saved.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Stops it in order (SIGTERM): it saves its sessions and queues.
    ///
    /// # Errors
    ///
    /// When it has ended already or does not end.
    pub fn terminate(&mut self) -> Result<(), ProgramError> {
        self.program.signal(Signal::Terminate)?;
        self.program.wait(PATIENCE).map(drop)
    }

    /// Makes it hang (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn freeze(&mut self) -> Result<(), ProgramError> {
        self.program.signal(Signal::Freeze)
    }

    /// Lets a frozen one go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn thaw(&mut self) -> Result<(), ProgramError> {
        self.program.signal(Signal::Thaw)
    }

    /// Starts it again on the same port with what it had saved, killing it first if it still runs.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub fn restart(&mut self) -> Result<(), ProgramError> {
        self.program.kill();
        self.program = launch(&self.binary, &self.folder)?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("its folder: {0}")]
    Folder(#[from] io::Error),
    #[error("{0}")]
    Program(#[from] ProgramError),
}

fn broken(error: &StartError) -> Missing {
    Missing::Broken { component: COMPONENT, reason: error.to_string() }
}

fn launch(binary: &PathBuf, folder: &TempDir) -> Result<Program, ProgramError> {
    let configuration = folder.path().join("mosquitto.conf");
    let mut program = Program::spawn(binary, ["-c".as_ref(), configuration.as_os_str()])?;
    // The last line of its start, after the listener is open: "mosquitto version 2.0.11 running".
    program.wait_for(PATIENCE, |line| line.ends_with(" running").then_some(()))?;
    Ok(program)
}

fn configuration(port: u16, folder: &TempDir, settings: &str) -> String {
    let replaced =
        |line: &&str| PLACES.contains(&name(line)) || settings.lines().any(|own| name(own) == name(line));
    let shipped: Vec<&str> =
        SHIPPED.lines().filter(|line| !name(line).is_empty() && !replaced(line)).collect();
    format!(
        "listener {port} 127.0.0.1\nuser root\npersistence_location {}/\nlog_dest stderr\n{}\n{settings}\n",
        folder.path().display(),
        shipped.join("\n"),
    )
}

/// Returns the setting's name; an empty one for comments.
fn name(line: &str) -> &str {
    line.split_whitespace().next().filter(|word| !word.starts_with('#')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_broker_has_the_shipped_windows_and_its_own_place() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(4711, &folder, "max_queued_messages 5");
        assert!(configuration.contains("listener 4711 127.0.0.1\n"));
        assert!(configuration.contains("max_inflight_messages 65535\n"));
        assert_eq!(configuration.matches("listener ").count(), 1);
        assert_eq!(configuration.matches("max_queued_messages ").count(), 1, "the test's own line wins");
    }
}
