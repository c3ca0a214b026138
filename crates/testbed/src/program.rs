//! A child process of a test: what it printed, signals to it, and its end.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, kill_process};

use crate::place;

/// Lines kept of each program; older ones go. A broker's whole start fits.
const KEPT_LINES: usize = 20_000;

/// How often a child that has been told to end is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What a test can send to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end in order.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGKILL: die where you stand.
    Kill,
    /// SIGSTOP: hang.
    Freeze,
    /// SIGCONT: go on.
    Thaw,
}

/// What can go wrong between a test and its program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started.
    #[error("can't start {}", .program.display())]
    Start {
        /// The binary.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It ended before it printed what was waited for.
    #[error("{} ended ({status}) before it printed what was waited for; it said:\n{said}", .program.display())]
    Ended {
        /// The binary.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last that it printed.
        said: String,
    },
    /// It went on, but not as far as was waited for.
    #[error("{} did not {what} within {waited:?}; it said:\n{said}", .program.display())]
    TooLate {
        /// The binary.
        program: PathBuf,
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
        /// The last that it printed.
        said: String,
    },
    /// It is gone already.
    #[error("can't signal {}", .program.display())]
    Signal {
        /// The binary.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A running child. It is killed when dropped, and when this process dies.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    child: Child,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
}

impl Program {
    /// Starts `path` with `args`; its output is collected, its input is empty.
    ///
    /// # Errors
    ///
    /// [`ProgramError::Start`] when the binary is not there or may not be run.
    pub fn spawn<I>(path: impl AsRef<Path>, args: I) -> Result<Self, ProgramError>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let mut command = Command::new(path.as_ref());
        command.args(args);
        Self::spawn_command(command)
    }

    /// Starts a command that the caller prepared (environment, working folder).
    ///
    /// # Errors
    ///
    /// [`ProgramError::Start`] when the binary is not there or may not be run.
    pub fn spawn_command(command: Command) -> Result<Self, ProgramError> {
        let path = PathBuf::from(command.get_program());
        let fail = |source| ProgramError::Start { program: path.clone(), source };
        let mut child = spawn_tied_to_us(command).map_err(fail)?;
        let stdout = Lines::collect(child.stdout.take().expect("stdout is piped"));
        let stderr = Lines::collect(child.stderr.take().expect("stderr is piped"));
        Ok(Self { path, child, stdout, stderr })
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns all that it has printed to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns all that it has printed to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until a line of stdout or stderr (past lines count) yields a value, e.g. the address that it listens on.
    ///
    /// # Errors
    ///
    /// [`ProgramError::Ended`] when it ends first, [`ProgramError::TooLate`] after `patience`.
    pub fn wait_for<T>(
        &mut self,
        patience: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, ProgramError> {
        let deadline = Instant::now() + patience;
        loop {
            // Asked before the lines are read: a program that printed and then ended has still printed.
            let ended = self.try_wait();
            if let Some(found) = self.stdout.find(&mut find).or_else(|| self.stderr.find(&mut find)) {
                return Ok(found);
            }
            if let Some(status) = ended {
                return Err(ProgramError::Ended {
                    program: self.path.clone(),
                    status,
                    said: self.last_words(),
                });
            }
            if Instant::now() >= deadline {
                return Err(self.too_late("print what was waited for", patience));
            }
            self.stderr.pause();
        }
    }

    /// Waits for the first line that contains `text` and returns it.
    ///
    /// # Errors
    ///
    /// As [`Program::wait_for`].
    pub fn wait_for_text(&mut self, text: &str, patience: Duration) -> Result<String, ProgramError> {
        self.wait_for(patience, |line| line.contains(text).then(|| line.to_owned()))
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// [`ProgramError::Signal`] when the program has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<(), ProgramError> {
        let fail = |source| ProgramError::Signal { program: self.path.clone(), source };
        // An id whose child was already waited for may belong to another process by now.
        if self.child.try_wait().map_err(fail)?.is_some() {
            return Err(fail(io::Error::new(io::ErrorKind::NotFound, "it has ended")));
        }
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a child's id is a positive i32");
        kill_process(id, signal.number()).map_err(|errno| fail(errno.into()))
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`ProgramError::TooLate`] when it is still running after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus, ProgramError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.try_wait() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.too_late("end", patience));
            }
            thread::sleep(POLL);
        }
    }

    /// Says whether it is still running (a frozen program is).
    pub fn is_running(&mut self) -> bool {
        self.try_wait().is_none()
    }

    /// Kills it and waits until it is gone, so that its ports and files are free. Does nothing when it has ended.
    pub fn kill(&mut self) {
        // Both calls fail only for a child that has already been waited for.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child that nobody else waits for can be asked");
        if status.is_some() {
            self.stdout.wait_for_end();
            self.stderr.wait_for_end();
        }
        status
    }

    fn too_late(&self, what: &'static str, waited: Duration) -> ProgramError {
        ProgramError::TooLate { program: self.path.clone(), what, waited, said: self.last_words() }
    }

    fn last_words(&self) -> String {
        let mut said = self.stdout.tail(20);
        said.push_str(&self.stderr.tail(40));
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Signal {
    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Kill => rustix::process::Signal::KILL,
            Self::Freeze => rustix::process::Signal::STOP,
            Self::Thaw => rustix::process::Signal::CONT,
        }
    }
}

/// What one of a program's streams has said, filled by a thread of its own so that a full pipe never blocks the child.
#[derive(Debug, Default)]
struct Lines {
    said: Mutex<Said>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    lines: VecDeque<String>,
    ended: bool,
}

impl Lines {
    fn collect(stream: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let filling = Arc::clone(&lines);
        thread::spawn(move || filling.fill(BufReader::new(stream)));
        lines
    }

    fn fill(&self, mut stream: impl BufRead) {
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            self.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
        self.lock().ended = true;
        self.grown.notify_all();
    }

    fn push(&self, line: String) {
        let mut said = self.lock();
        if said.lines.len() == KEPT_LINES {
            said.lines.pop_front();
        }
        said.lines.push_back(line);
        self.grown.notify_all();
    }

    fn find<T>(&self, find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        self.lock().lines.iter().map(String::as_str).find_map(find)
    }

    fn text(&self) -> String {
        self.tail(KEPT_LINES)
    }

    fn tail(&self, count: usize) -> String {
        let said = self.lock();
        let skipped = said.lines.len().saturating_sub(count);
        said.lines.iter().skip(skipped).flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Returns when something was said or a moment has passed: the other stream and the child's end matter too.
    fn pause(&self) {
        drop(self.grown.wait_timeout(self.lock(), POLL));
    }

    /// A grandchild may hold the pipe open after the child's end; what the child said is read by then all the same.
    fn wait_for_end(&self) {
        let patience = Duration::from_millis(200);
        drop(self.grown.wait_timeout_while(self.lock(), patience, |said| !said.ended));
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a child that the kernel kills when this process dies, however it dies (util-linux's `setpriv` asks for that;
/// without it the child is tied to its handle only).
///
/// The kernel ties a child to the *thread* that started it, and a test's thread ends before a server that other tests
/// share: one thread of ours that lives as long as the process starts them all.
fn spawn_tied_to_us(mut command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::SyncSender<io::Result<Child>>);
    static STARTER: OnceLock<mpsc::SyncSender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::sync_channel::<Order>(1);
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                answer.send(command.spawn()).ok();
            }
        });
        orders
    });
    command = tied(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (answer, started) = mpsc::sync_channel(1);
    starter.send((command, answer)).map_err(io::Error::other)?;
    started.recv().map_err(io::Error::other)?
}

fn tied(command: Command) -> Command {
    let program = Path::new(command.get_program());
    // `setpriv` would start and then fail to find the program: the caller would wait in vain for its first line.
    let there = program.is_file() || place::executable(&[&program.to_string_lossy()]).is_some();
    let Some(setpriv) = place::executable(&["setpriv"]).filter(|_| there) else { return command };
    let mut tied = Command::new(setpriv);
    tied.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Program {
        Program::spawn("/bin/sh", ["-c", script]).unwrap()
    }

    #[test]
    fn what_a_program_prints_can_be_waited_for() {
        let mut program = shell("echo listening on 127.0.0.1:4711; exec sleep 60");
        let port: u16 = program
            .wait_for(PATIENCE, |line| line.strip_prefix("listening on 127.0.0.1:")?.parse().ok())
            .unwrap();
        assert_eq!(port, 4711);
        assert!(program.is_running());
    }

    #[test]
    fn a_program_that_ends_first_says_so_with_its_last_words() {
        let error = shell("echo the disk is full >&2; exit 3").wait_for_text("ready", PATIENCE).unwrap_err();
        assert!(matches!(error, ProgramError::Ended { status, .. } if status.code() == Some(3)));
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }

    #[test]
    fn a_program_that_prints_and_ends_at_once_has_still_printed() {
        assert_eq!(shell("echo ready").wait_for_text("ready", PATIENCE).unwrap(), "ready");
    }

    #[test]
    fn waiting_ends_in_time() {
        let error = shell("exec sleep 60").wait_for_text("ready", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, ProgramError::TooLate { .. }), "{error}");
    }

    #[test]
    fn a_signal_reaches_the_program() {
        let mut program = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        program.wait_for_text("ready", PATIENCE).unwrap();
        program.signal(Signal::Terminate).unwrap();
        assert_eq!(program.wait(PATIENCE).unwrap().code(), Some(7));
        assert!(matches!(program.signal(Signal::Terminate), Err(ProgramError::Signal { .. })));
    }

    #[test]
    fn a_frozen_program_can_still_be_killed() {
        let mut program = shell("exec sleep 60");
        program.signal(Signal::Freeze).unwrap();
        assert!(program.is_running());
        program.kill();
        assert!(!program.is_running());
    }

    #[test]
    fn a_binary_that_is_not_there_is_named() {
        let error = Program::spawn("/nowhere/luong", ["up"]).unwrap_err();
        assert_eq!(error.to_string(), "can't start /nowhere/luong");
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut program = thread::spawn(|| shell("exec sleep 60")).join().unwrap();
        assert!(matches!(program.wait(Duration::from_millis(100)), Err(ProgramError::TooLate { .. })));
    }
}
