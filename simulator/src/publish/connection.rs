//! One MQTT connection that comes back after every fault and loses nothing that is not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, sleep};

use super::{Broker, Counters};

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
}

/// Messages that are sent and not acknowledged; more wait.
const WINDOW: usize = 256;
/// Packet ids are used again after so many: enough that a late acknowledgement holds no other up.
const PACKET_IDS: u16 = 2048;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A peer that takes nothing for so long is given up, and another connection made: a poll that hangs in a full socket
/// notices nothing itself.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    broker: Broker,
    name: String,
    inbox: mpsc::Receiver<Letter>,
    counters: Arc<Counters>,
    /// Told of each attempt until the first one succeeds.
    first: mpsc::Sender<Result<(), String>>,
}

/// What is under way on a connection.
#[derive(Default)]
struct UnderWay {
    /// From an earlier session: to be sent again before anything else.
    again: VecDeque<(u64, Letter)>,
    /// Handed to the client, no packet id yet.
    handed: VecDeque<(u64, Letter)>,
    /// By packet id.
    sent: BTreeMap<u16, (u64, Letter)>,
    next: u64,
    /// Of the last acknowledgement, or of the last message after none was due.
    progress: Option<Instant>,
}

/// How a session ended.
enum Ended {
    AllAcknowledged,
    Broken(String),
}

struct Session {
    under_way: Mutex<UnderWay>,
    room: Semaphore,
    acknowledged: Notify,
}

impl Connection {
    pub(super) fn new(
        broker: Broker,
        name: String,
        inbox: mpsc::Receiver<Letter>,
        counters: Arc<Counters>,
        first: mpsc::Sender<Result<(), String>>,
    ) -> Self {
        Self { broker, name, inbox, counters, first }
    }

    /// Serves until the inbox is closed and all is acknowledged.
    pub(super) async fn serve(mut self) {
        let mut again = VecDeque::new();
        let mut next = 0;
        let mut pause = FIRST_PAUSE;
        loop {
            let (client, events) = AsyncClient::new(self.options(), WINDOW);
            let session = Session {
                under_way: Mutex::new(UnderWay { again, next, ..UnderWay::default() }),
                room: Semaphore::new(WINDOW),
                acknowledged: Notify::new(),
            };
            let before = self.counters.acknowledged();
            let ended = tokio::select! {
                ended = feed(&session, &client, &mut self.inbox) => ended,
                broken = listen(&session, events, &self.counters, &self.first) => Ended::Broken(broken),
                broken = watch_over(&session) => Ended::Broken(broken),
            };
            let Ended::Broken(detail) = ended else { return };
            (again, next) = session.under_way.into_inner().unwrap_or_else(PoisonError::into_inner).unsent();
            if self.counters.acknowledged() > before {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(broker = %self.broker.host, port = self.broker.port, %detail, unacknowledged = again.len(),
                "the MQTT connection broke; connecting again");
            drop(self.first.try_send(Err(detail)));
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.name, &self.broker.host, self.broker.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_inflight(PACKET_IDS);
        if let Some((user, password)) = &self.broker.login {
            options.set_credentials(user, password);
        }
        options
    }
}

impl UnderWay {
    /// Returns all that is not acknowledged, in its order, and the next number.
    fn unsent(self) -> (VecDeque<(u64, Letter)>, u64) {
        let mut all: Vec<_> = self.sent.into_values().chain(self.handed).chain(self.again).collect();
        all.sort_by_key(|&(order, _)| order);
        (all.into(), self.next)
    }

    fn is_empty(&self) -> bool {
        self.again.is_empty() && self.handed.is_empty() && self.sent.is_empty()
    }
}

impl Session {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // No code panics while it holds the lock, so what is inside is whole.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a letter as handed to the client, before it is: a session that ends in between sends it again.
    fn hand_over(&self, old: Option<(u64, Letter)>, new: Option<Letter>) -> Option<Letter> {
        let mut under_way = self.under_way();
        let (order, letter) = match (old, new) {
            (Some(old), _) => old,
            (None, Some(letter)) => {
                under_way.next += 1;
                (under_way.next, letter)
            }
            (None, None) => return None,
        };
        under_way.progress.get_or_insert_with(Instant::now);
        under_way.handed.push_back((order, letter.clone()));
        Some(letter)
    }
}

/// Sends letters while there is room; ends when the inbox is closed and all is acknowledged.
async fn feed(session: &Session, client: &AsyncClient, inbox: &mut mpsc::Receiver<Letter>) -> Ended {
    loop {
        let Ok(room) = session.room.acquire().await else { break };
        let old = session.under_way().again.pop_front();
        // `recv` is cancel-safe, and nothing awaits between it and `hand_over`.
        let new = if old.is_some() { None } else { inbox.recv().await };
        let Some(letter) = session.hand_over(old, new) else { break };
        room.forget();
        if client.publish(letter.topic, QoS::AtLeastOnce, false, letter.payload).await.is_err() {
            return Ended::Broken("the client has ended".to_owned());
        }
    }
    loop {
        let told = session.acknowledged.notified();
        if session.under_way().is_empty() {
            drop(client.try_disconnect());
            return Ended::AllAcknowledged;
        }
        told.await;
    }
}

/// Follows the client's events until the connection breaks; returns why it did.
async fn listen(
    session: &Session,
    mut events: EventLoop,
    counters: &Counters,
    first: &mpsc::Sender<Result<(), String>>,
) -> String {
    events.network_options.set_tcp_nodelay(true);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => drop(first.try_send(Ok(()))),
            Ok(Event::Outgoing(Outgoing::Publish(id))) => {
                let mut under_way = session.under_way();
                if let Some(letter) = under_way.handed.pop_front() {
                    under_way.sent.insert(id, letter);
                }
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => acknowledged(session, ack.pkid, counters),
            Ok(Event::Incoming(Packet::Disconnect)) => return "the broker said goodbye".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

fn acknowledged(session: &Session, id: u16, counters: &Counters) {
    let mut under_way = session.under_way();
    if under_way.sent.remove(&id).is_none() {
        return;
    }
    under_way.progress = (!under_way.is_empty()).then(Instant::now);
    drop(under_way);
    counters.acknowledged.fetch_add(1, Ordering::Relaxed);
    session.room.add_permits(1);
    session.acknowledged.notify_waiters();
}

/// Ends when something has waited too long for its acknowledgement.
async fn watch_over(session: &Session) -> String {
    loop {
        sleep(PATIENCE / 6).await;
        if session.under_way().progress.is_some_and(|since| since.elapsed() > PATIENCE) {
            return format!("nothing acknowledged for {} s", PATIENCE.as_secs());
        }
    }
}
