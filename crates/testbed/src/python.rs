//! A gRPC client that is not ours: Python's grpcio, which learns our services by reflection.

use std::{path::PathBuf, process::Command, time::Duration};

use crate::{
    Missing, Program, ProgramError,
    place::{components, workspace_root},
};

/// The virtual environment that `cargo xtask setup` made. Scripts can `import reflected` (crates/testbed/python).
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
}

/// Why a script gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It did not start, or not end in time.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It failed.
    #[error("the script failed:\n{said}")]
    Failed {
        /// What it wrote to stderr.
        said: String,
    },
}

impl Python {
    /// Finds the environment.
    ///
    /// # Errors
    ///
    /// [`Missing::Absent`] when it was not made.
    pub fn find() -> Result<Self, Missing> {
        let interpreter = components().join("venv/bin/python");
        // The mark is written after the last package: a broken set-up is no environment.
        if components().join("venv/.ready").is_file() && interpreter.is_file() {
            return Ok(Self { interpreter });
        }
        Err(Missing::Absent {
            component: "Python with grpcio",
            reason: format!("no environment in {}", components().join("venv").display()),
        })
    }

    /// Runs a script's text to its end and returns what it printed.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] when it fails (with its traceback) or is still running after `patience`.
    pub fn run(&self, script: &str, args: &[&str], patience: Duration) -> Result<String, ScriptError> {
        let mut program = self.spawn(script, args)?;
        if program.wait(patience)?.success() {
            Ok(program.stdout())
        } else {
            Err(ScriptError::Failed { said: program.stderr() })
        }
    }

    /// Starts a script's text and returns it running: for streams that the test reads line by line.
    ///
    /// # Errors
    ///
    /// [`ProgramError::Start`] when the interpreter does not start.
    pub fn spawn(&self, script: &str, args: &[&str]) -> Result<Program, ProgramError> {
        let mut command = Command::new(&self.interpreter);
        command.args(["-u", "-c", script]).args(args);
        command.env("PYTHONPATH", workspace_root().join("crates/testbed/python"));
        Program::spawn_command(command)
    }
}
