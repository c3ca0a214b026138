//! Starts the binary and finds out where it listens.

use std::path::Path;
use std::time::Duration;

use testbed::{Program, Signal};

/// Long enough for a debug build on a busy machine of two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `luong`.
pub(crate) struct Service {
    pub(crate) program: Program,
}

impl Service {
    /// Starts a role with every port free and everything on disk in `folder`.
    pub(crate) fn start(role: &[&str], folder: &Path, set: &[&str]) -> Self {
        let mut args: Vec<String> = role.iter().map(|&arg| arg.to_owned()).collect();
        args.extend(["--data-dir".to_owned(), folder.display().to_string()]);
        let free =
            ["gateway.listen", "gateway.dashboard", "admin.listen"].map(|key| format!("{key}=127.0.0.1:0"));
        for assignment in free.into_iter().chain(set.iter().map(|&s| s.to_owned())) {
            args.extend(["--set".to_owned(), assignment]);
        }
        Self { program: Program::spawn(env!("CARGO_BIN_EXE_luong"), args).unwrap() }
    }

    /// Returns where it listens, as it printed it: `gRPC`, `page`, `MQTT` or `admin`.
    pub(crate) fn address(&mut self, what: &str) -> String {
        self.program
            .wait_for(PATIENCE, |line| Some(line.trim().strip_prefix(what)?.trim().to_owned()))
            .unwrap_or_else(|error| panic!("no address of {what}: {error}"))
    }

    /// Waits until `/readyz` says that all roles work.
    pub(crate) fn ready(&mut self) {
        let admin = self.address("admin");
        wait_until("ready", || http(&admin, "/readyz").starts_with("HTTP/1.1 200").then_some(()));
    }

    /// Ends it as an operator would; returns its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.program.signal(Signal::Terminate).unwrap();
        self.program.wait(PATIENCE).unwrap().code()
    }
}

/// Asks again and again, a little later each time, until there is an answer.
pub(crate) fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "not {what} within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Returns the whole answer to a GET.
pub(crate) fn http(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let host = address.trim_start_matches("http://");
    let mut answer = String::new();
    if let Ok(mut stream) = std::net::TcpStream::connect(host) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        if stream.write_all(request.as_bytes()).is_ok() {
            // What was read before an error is an answer, too.
            drop(stream.read_to_string(&mut answer));
        }
    }
    answer
}

/// Returns the value of a metric without labels.
pub(crate) fn metric(admin: &str, name: &str) -> Option<f64> {
    http(admin, "/metrics").lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
