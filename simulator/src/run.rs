//! Runs a scenario: publishes it live, or writes its events to a file.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::city::City;
use crate::event::Message;
use crate::play::{Moment, Play, warm_up};
use crate::publish::{Broker, Counters, PublishError, Publisher};
use crate::scenario::{Scenario, ScenarioError};
use crate::truth::{Truth, TruthError};

/// A scenario that is ready to run.
#[derive(Debug)]
pub struct Run {
    name: String,
    scenario: Scenario,
    city: City,
    options: Options,
}

/// How a scenario is run.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// The same seed makes the same traffic, the same readings and the same faults.
    pub seed: u64,
    /// Times real time; 0 = as fast as the broker acknowledges.
    pub speed: f64,
    /// Seconds of the scenario's own time; its own duration where absent; 0 = until it is stopped.
    pub duration_s: Option<u64>,
    /// Where to write what really happened.
    pub truth: Option<PathBuf>,
    /// Event time of the beginning: now where absent and published live, the scenario's where written to a file.
    pub starts: Option<Timestamp>,
    /// For large cities; the result does not depend on it.
    pub threads: NonZeroUsize,
    /// MQTT connections; a device always speaks over the same one.
    pub connections: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1.0,
            duration_s: None,
            truth: None,
            starts: None,
            threads: NonZeroUsize::MIN,
            connections: NonZeroUsize::MIN.saturating_add(3),
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Progress {
    /// Seconds of the scenario that were played; 0 while the roads fill.
    pub second: u64,
    /// Vehicles on the roads.
    pub vehicles: u64,
    /// Events handed to the publisher, or written.
    pub events: u64,
    /// Events that the broker has acknowledged.
    pub acknowledged: u64,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Seconds of the scenario that were played.
    pub seconds: u64,
    /// Events handed to the publisher, or written.
    pub events: u64,
    /// Events that the broker has acknowledged; 0 when written to a file.
    pub acknowledged: u64,
    /// Events that were given up at a shutdown because the broker did not acknowledge them in time.
    pub given_up: u64,
}

/// A run that failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario can't be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The broker can't be reached.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The truth can't be written.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// The events can't be written.
    #[error("the events can't be written; free the disk or give another file")]
    Events(#[source] std::io::Error),
    /// The simulation's thread ended by itself.
    #[error(
        "the simulation stopped by itself, which is a defect; run it again with RUST_BACKTRACE=1 and report it"
    )]
    Broken,
}

/// Moments that are played ahead of their time: the player waits when so many are not sent yet.
const AHEAD: usize = 4;

impl Run {
    /// Builds the scenario's city and checks the scenario against it. `name` is for the truth's notes.
    ///
    /// # Errors
    /// When the city can't be made or an incident is on no road of it.
    pub fn new(name: &str, mut scenario: Scenario, options: Options) -> Result<Self, ScenarioError> {
        let city = scenario.city(options.seed)?;
        for incident in &scenario.incident {
            incident.link(&city.network)?;
        }
        scenario.duration_s = options.duration_s.unwrap_or(scenario.duration_s);
        Ok(Self { name: name.to_owned(), scenario, city, options })
    }

    /// Returns the city that it runs in.
    pub fn city(&self) -> &City {
        &self.city
    }

    /// Returns how long it lasts; 0 = until it is stopped.
    pub fn duration_s(&self) -> u64 {
        self.scenario.duration_s
    }

    /// Publishes the scenario until it ends or `shutdown` is cancelled; then waits a few seconds for what is not
    /// acknowledged yet. A broker that goes away is waited for, and nothing unacknowledged is lost meanwhile.
    ///
    /// # Errors
    /// When the broker can't be reached at the beginning, or the truth can't be written.
    pub async fn run(
        self,
        broker: Broker,
        shutdown: CancellationToken,
        progress: watch::Sender<Progress>,
    ) -> Result<Summary, RunError> {
        let (connections, speed) = (self.options.connections, self.options.speed);
        let topics: Vec<String> = self.city.registry.sensors().iter().map(|s| s.id.to_string()).collect();
        let mut publisher = Publisher::connect(&broker, connections, self.options.seed, &shutdown).await?;
        let (begun, beginning) = oneshot::channel();
        let (moments, mut played) = mpsc::channel(AHEAD);
        let stop = shutdown.clone();
        let player = task::spawn_blocking(move || self.play_live(begun, &moments, &stop));
        let mut summary = Summary { seconds: 0, events: 0, acknowledged: 0, given_up: 0 };
        if let Ok(starts) = beginning.await {
            let pace = Pace { starts, begins: Instant::now(), speed };
            while let Some(moment) = next(&mut played, &shutdown).await {
                send(&mut publisher, &moment, &topics, &pace, &shutdown).await;
                summary.seconds = moment.second.max(summary.seconds);
                summary.events += moment.messages.len() as u64;
                report(&progress, &moment, &summary, publisher.counters());
            }
        }
        drop(played);
        let failed = player.await.map_err(|_| RunError::Broken)?;
        (summary.acknowledged, summary.given_up) = publisher.finish(&shutdown).await;
        failed?;
        Ok(summary)
    }

    /// Writes the scenario's events as lines of a file of observations, in order of arrival.
    ///
    /// # Errors
    /// When the events or the truth can't be written.
    pub fn write(
        self,
        out: &mut dyn Write,
        shutdown: &CancellationToken,
        progress: &watch::Sender<Progress>,
    ) -> Result<Summary, RunError> {
        let starts = self.options.starts.or_else(|| self.scenario.starts_at());
        let starts = starts.unwrap_or_else(|| Timestamp::from_millis(0));
        let traffic = self.warmed_up(shutdown);
        let mut play = self.play(traffic, starts)?;
        let mut summary = Summary { seconds: 0, events: 0, acknowledged: 0, given_up: 0 };
        while let Some(moment) = play.next()? {
            summary.seconds = moment.second;
            summary.events += moment.messages.len() as u64;
            self.write_lines(out, &moment.messages)?;
            progress.send_replace(Progress {
                second: moment.second,
                vehicles: moment.vehicles,
                events: summary.events,
                acknowledged: 0,
            });
            if shutdown.is_cancelled() {
                break;
            }
        }
        let rest = play.end()?;
        summary.events += rest.len() as u64;
        self.write_lines(out, &rest)?;
        out.flush().map_err(RunError::Events)?;
        Ok(summary)
    }

    fn write_lines(&self, out: &mut dyn Write, messages: &[Message]) -> Result<(), RunError> {
        messages
            .iter()
            .try_for_each(|message| writeln!(out, "{}", message.line(&self.city.registry)))
            .map_err(RunError::Events)
    }

    fn warmed_up(&self, shutdown: &CancellationToken) -> crate::traffic::Traffic<'_> {
        let Options { seed, threads, .. } = self.options;
        warm_up(&self.city, &self.scenario, seed, threads, || !shutdown.is_cancelled())
    }

    fn play<'a>(
        &'a self,
        traffic: crate::traffic::Traffic<'a>,
        starts: Timestamp,
    ) -> Result<Play<'a>, TruthError> {
        let seed = self.options.seed;
        let truth = match &self.options.truth {
            Some(folder) => Some(Truth::create(folder, &self.city, &self.name, seed, starts)?),
            None => None,
        };
        Play::new(&self.city, &self.scenario, seed, traffic, starts, truth)
    }

    /// Plays on a thread of its own; ends when nobody takes the moments any more.
    fn play_live(
        self,
        begun: oneshot::Sender<Timestamp>,
        moments: &mpsc::Sender<Moment>,
        shutdown: &CancellationToken,
    ) -> Result<(), TruthError> {
        let traffic = self.warmed_up(shutdown);
        let starts = self.options.starts.unwrap_or_else(now);
        let mut play = self.play(traffic, starts)?;
        if begun.send(starts).is_err() {
            return Ok(());
        }
        let mut last = Moment { second: 0, messages: Vec::new(), vehicles: 0 };
        while let Some(moment) = play.next()? {
            (last.second, last.vehicles) = (moment.second, moment.vehicles);
            if moments.blocking_send(moment).is_err() {
                break;
            }
        }
        last.messages = play.end()?;
        // Nobody takes them after a shutdown: what is under way then stays unsent, as with any switched-off device.
        drop(moments.blocking_send(last));
        Ok(())
    }
}

/// When an event is due.
struct Pace {
    /// In event time.
    starts: Timestamp,
    /// The same, on the machine's clock.
    begins: Instant,
    speed: f64,
}

impl Pace {
    fn due(&self, at: Timestamp) -> Option<Instant> {
        let after_s = at.seconds_since(self.starts).max(0.0) / self.speed;
        (self.speed > 0.0).then(|| self.begins + Duration::from_secs_f64(after_s))
    }
}

/// Returns the next moment; `None` at the end or at a shutdown.
async fn next(played: &mut mpsc::Receiver<Moment>, shutdown: &CancellationToken) -> Option<Moment> {
    tokio::select! {
        () = shutdown.cancelled() => None,
        moment = played.recv() => moment,
    }
}

/// Sends each message at its time, while there is no shutdown; at the end of the scenario nobody waits for the last
/// stragglers of the field.
async fn send(
    publisher: &mut Publisher,
    moment: &Moment,
    topics: &[String],
    pace: &Pace,
    shutdown: &CancellationToken,
) {
    let latest = pace.starts.plus_millis(moment.second as i64 * 1000);
    let all = async {
        for message in &moment.messages {
            if let Some(due) = pace.due(message.arrives.min(latest))
                && due > Instant::now() + Duration::from_millis(5)
            {
                sleep_until(due).await;
            }
            let id = &topics[message.sensor as usize];
            let topic = format!("luong/v1/{id}/{}", message.kind.name());
            publisher.send(message.sensor as usize, topic, message.payload()).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = all => {}
    }
}

fn report(progress: &watch::Sender<Progress>, moment: &Moment, summary: &Summary, counters: &Counters) {
    progress.send_replace(Progress {
        second: moment.second,
        vehicles: moment.vehicles,
        events: summary.events,
        acknowledged: counters.acknowledged(),
    });
}

/// Whole seconds read better in logs.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as i64).floor(1000)
}
