//! A real Apache Kafka: one node, KRaft, no container. Its jars lie where `cargo xtask setup` put them.

mod prepared;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;

use self::prepared::Prepared;
use crate::{
    Missing, Program, ProgramError, Signal,
    place::{components, executable, scratch},
    port,
};

const COMPONENT: &str = "Apache Kafka";

/// 3 to 6 s on an idle machine with two cores; several times that when all tests run at once.
const PATIENCE: Duration = Duration::from_secs(90);

/// What its log says when clients are served (`kafka.server.KafkaRaftServer`).
const READY: &str = "Kafka Server started";

/// Any 16 bytes in URL-safe base 64 will do.
const CLUSTER_ID: &str = "bHVvbmctdGVzdGJlZC0wMQ";

/// A start must be quick and small, not fast in the long run: the first compiler tier and the serial collector.
const JVM: [&str; 6] = [
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
];

/// A Kafka of this test's own on free loopback ports, with its data in a folder that goes with it.
#[derive(Debug)]
pub struct Kafka {
    port: u16,
    folder: TempDir,
    program: Program,
}

impl Kafka {
    /// The version that `cargo xtask setup` brings and `deploy/compose.yaml` ships.
    pub const VERSION: &str = "4.1.1";

    /// Starts one and waits until it serves clients. Topics are not created by themselves.
    ///
    /// # Errors
    ///
    /// [`Missing::Absent`] without Java or the jars; [`Missing::Broken`] when it does not come up.
    pub fn start() -> Result<Self, Missing> {
        let java = java()?;
        let mut last = None;
        for _ in 0..port::TRIES {
            match Self::start_on(&java, port::free(), port::free()) {
                Err(StartError::Program(error)) if error.to_string().contains("Address already in use") => {
                    last = Some(error.to_string());
                }
                other => return other.map_err(|error| broken(&error)),
            }
        }
        Err(Missing::Broken { component: COMPONENT, reason: last.unwrap_or_default() })
    }

    /// Returns the one that all tests of this process share, started by the first that asks. For tests that name
    /// topics and groups of their own and leave the server itself alone.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn shared() -> Result<&'static Self, Missing> {
        static SHARED: OnceLock<Result<Kafka, Missing>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Missing::again)
    }

    /// Does once what every start needs, so that no test waits for it. A start does it too if nobody has.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn prepare() -> Result<(), Missing> {
        Prepared::get(&java()?).map(drop).map_err(|error| broken(&error))
    }

    fn start_on(java: &Path, port: u16, controller: u16) -> Result<Self, StartError> {
        let folder = scratch("kafka")?;
        fs::write(folder.path().join("server.properties"), properties(port, controller, folder.path()))?;
        Prepared::get(java)?.copy_data(folder.path())?;
        let program = launch(java, folder.path())?;
        Ok(Self { port, folder, program })
    }

    /// Returns what `bootstrap.servers` wants: `127.0.0.1:PORT`. It stays the same over restarts.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns what it has logged since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.stderr()
    }

    /// Waits for a line of its log that contains `text`.
    ///
    /// # Errors
    ///
    /// As [`Program::wait_for`].
    pub fn wait_for_log(&mut self, text: &str, patience: Duration) -> Result<String, ProgramError> {
        self.program.wait_for_text(text, patience)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.program.kill();
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

    /// Starts it again on the same port with its data, killing it first if it still runs, and waits until it serves.
    ///
    /// # Errors
    ///
    /// [`Missing::Broken`] when it does not come up.
    pub fn restart(&mut self) -> Result<(), Missing> {
        self.program.kill();
        let java = java()?;
        self.program = launch(&java, self.folder.path()).map_err(|error| broken(&error))?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("its folder: {0}")]
    Folder(#[from] io::Error),
    #[error("formatting its folder: {0}")]
    Format(String),
    #[error("{0}")]
    Program(#[from] ProgramError),
}

fn broken(error: &StartError) -> Missing {
    Missing::Broken { component: COMPONENT, reason: error.to_string() }
}

/// Returns Java, after looking for the jars too.
fn java() -> Result<PathBuf, Missing> {
    let absent = |reason: String| Missing::Absent { component: COMPONENT, reason };
    let java =
        executable(&["java"]).ok_or_else(|| absent("no `java` (17 or newer) on the PATH".to_owned()))?;
    let jars = jars();
    let found = fs::read_dir(&jars).is_ok_and(|files| {
        files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("kafka_"))
    });
    if found { Ok(java) } else { Err(absent(format!("no Kafka jars in {}", jars.display()))) }
}

fn jars() -> PathBuf {
    components().join("kafka/lib")
}

fn jvm(java: &Path, folder: &Path) -> Command {
    let mut command = Command::new(java);
    command.args(JVM).arg("-cp").arg(jars().join("*")).current_dir(folder);
    command
}

fn launch(java: &Path, folder: &Path) -> Result<Program, StartError> {
    let mut command = jvm(java, folder);
    command.arg(format!("-XX:SharedArchiveFile={}", Prepared::get(java)?.class_archive().display()));
    command.args(["kafka.Kafka", "server.properties"]);
    let mut program = Program::spawn_command(command)?;
    program.wait_for_text(READY, PATIENCE)?;
    Ok(program)
}

fn properties(port: u16, controller: u16, folder: &Path) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}/data\n\
         {SMALL}",
        folder.display()
    )
}

/// One node replicates to nobody; a small heap has no room for the cleaner's usual 128 MB; no group waits for members
/// that will not come. A killed broker may come back only when its last session is over, 9 s as Kafka has it: 3 s is
/// short for a test, and long enough not to end by itself on a busy machine.
const SMALL: &str = "\
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=2
";
