//! The client of an existing broker: MQTT 5, shared subscription, persistent session, manual acknowledgements.
//!
//! One task polls `rumqttc`, hands over and acknowledges. What it must not do (read in `rumqttc` 0.25.1):
//! - acknowledge over a new connection what came over an old one: the packet id may name another message by now. So
//!   each connection has its own [`Window`], and what `rumqttc` still hands out of a lost connection, before it says
//!   that the next one stands, is left to the broker's redelivery;
//! - drop a `poll` that is under way: it may hold half-done work. It is kept until it is done; only the watchdog (a
//!   broker that hangs) and the end give one up, and clean up after it;
//! - wait for the request channel from the task that polls: acknowledgements are tried and kept when there is no room;
//! - publish: acknowledgements wait behind publishes that are not acknowledged themselves.
//!
//! When the lane is full, polling goes on (or the broker would take us for dead): the broker sends no more than
//! `receive_maximum` unacknowledged QoS 1 messages, which wait here. QoS 0 has no such limit and is shed beyond it.

mod config;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use config::redacted;
pub use config::{BrokerConfig, BrokerConfigError};

use super::listener::seconds;
use crate::ack::Window;
use crate::lane::{Batch, Inbound};
use crate::metrics::Metrics;
use crate::status::Health;

/// The running client.
pub(crate) struct Broker {
    config: BrokerConfig,
    url: String,
    client: AsyncClient,
    lane: mpsc::Sender<Batch>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    session: Session,
    /// Publishes of the burst that is just coming in.
    staged: Vec<Inbound>,
    staged_ids: Vec<u16>,
    /// What waits for a place in the lane.
    waiting: VecDeque<Batch>,
    waiting_messages: usize,
    /// Acknowledgements that the request channel had no room for.
    to_acknowledge: VecDeque<u16>,
}

/// One connection's acknowledgements.
struct Session {
    /// Between CONNACK and loss.
    connected: bool,
    /// Nothing more is taken.
    closing: bool,
    window: Arc<Window>,
    /// Packet ids of what was handed over, batch by batch.
    in_flight: VecDeque<Vec<u16>>,
}

impl Session {
    fn new() -> Self {
        Self { connected: false, closing: false, window: Window::open(), in_flight: VecDeque::new() }
    }
}

/// Publishes that are handed over at once.
const BURST: usize = 512;

enum Step {
    Polled(Box<Result<Event, ConnectionError>>),
    Hung,
    Shutdown,
}

impl Broker {
    pub(crate) fn new(
        config: BrokerConfig,
        url: &str,
        lane: mpsc::Sender<Batch>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
    ) -> Result<(Self, EventLoop), BrokerConfigError> {
        let options = config.options(url)?;
        // Room for every acknowledgement that can be due, so that in practice none has to be kept.
        let room = usize::from(config.receive_maximum) + 64;
        let (client, event_loop) = AsyncClient::new(options, room);
        health.broker_lost("connecting");
        let broker = Self {
            url: redacted(url),
            config,
            client,
            lane,
            metrics,
            health,
            session: Session::new(),
            staged: Vec::new(),
            staged_ids: Vec::new(),
            waiting: VecDeque::new(),
            waiting_messages: 0,
            to_acknowledge: VecDeque::new(),
        };
        Ok((broker, event_loop))
    }

    /// Runs until shutdown; then takes no more, acknowledges what it took, and says goodbye. The session stays.
    pub(crate) async fn run(mut self, mut event_loop: EventLoop, shutdown: CancellationToken) {
        let mut back_off = Duration::ZERO;
        loop {
            let step = {
                let mut poll = pin!(event_loop.poll());
                match ready_now(poll.as_mut()).await {
                    Some(event) => Step::Polled(Box::new(event)),
                    None => {
                        // The burst is over: hand over what there is, then wait for what comes next.
                        self.hand_over_staged();
                        self.wait(poll, &shutdown).await
                    }
                }
            };
            match step {
                Step::Polled(event) => match *event {
                    Ok(Event::Outgoing(Outgoing::Disconnect)) if self.session.closing => break,
                    Ok(event) => {
                        self.handle(event);
                        back_off = Duration::ZERO;
                    }
                    Err(_) if self.session.closing => break,
                    Err(error) => {
                        self.lose(&error.to_string());
                        back_off = (back_off * 2).clamp(Duration::from_millis(100), Duration::from_secs(5));
                        if !self.rest(back_off, &shutdown).await {
                            break;
                        }
                    }
                },
                Step::Hung => {
                    event_loop.clean();
                    self.lose("it does not answer");
                }
                Step::Shutdown => {
                    if !self.session.connected {
                        break;
                    }
                    self.session.closing = true;
                    self.say_goodbye_when_done();
                }
            }
        }
        while let Some(batch) = self.waiting.pop_front() {
            if self.lane.send(batch).await.is_err() {
                break;
            }
        }
    }

    /// Waits for the poll that is under way, doing everything else meanwhile.
    async fn wait(
        &mut self,
        mut poll: Pin<&mut impl Future<Output = Result<Event, ConnectionError>>>,
        shutdown: &CancellationToken,
    ) -> Step {
        // `rumqttc` says something at each keep-alive; connecting has its own limit of a few seconds.
        let patience = seconds(f64::from(self.config.keep_alive_s) * 3.0);
        let mut watchdog = pin!(tokio::time::sleep(patience));
        let lane = self.lane.clone();
        loop {
            let room = self.waiting_messages <= 2 * usize::from(self.config.receive_maximum);
            let window = Arc::clone(&self.session.window);
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if !self.session.closing => return Step::Shutdown,
                () = window.changed() => {
                    self.acknowledge();
                    self.say_goodbye_when_done();
                }
                place = lane.reserve(), if !self.waiting.is_empty() => match place {
                    Ok(place) => self.send_waiting(place),
                    // Nobody works off the lane any more.
                    Err(_) => {
                        self.waiting.clear();
                        return Step::Shutdown;
                    }
                },
                event = poll.as_mut(), if room => return Step::Polled(Box::new(event)),
                () = watchdog.as_mut(), if room => return Step::Hung,
            }
        }
    }

    /// Waits before the next attempt to connect; tells whether there is to be one.
    async fn rest(&mut self, back_off: Duration, shutdown: &CancellationToken) -> bool {
        shutdown.run_until_cancelled(tokio::time::sleep(back_off)).await.is_some()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => self.connect(connack.session_present),
            Event::Incoming(Packet::SubAck(suback)) => self.check(&suback),
            Event::Incoming(Packet::Publish(publish)) => self.take(publish),
            _ => {}
        }
        self.retry_acknowledgements();
        if self.staged.len() >= BURST {
            self.hand_over_staged();
            // A broker that always has more must not keep us from acknowledging.
            self.acknowledge();
        }
    }

    fn connect(&mut self, session_present: bool) {
        self.session.connected = true;
        self.metrics.broker_connected.set(1);
        self.metrics.broker_connects.inc();
        info!(broker = %self.url, session_present, "connected to the MQTT broker");
        // Also where there is a session: it may be that of a process that died between CONNECT and SUBSCRIBE, or of one
        // with another group. Subscribing again changes nothing else.
        if let Err(error) = self.client.try_subscribe_many(self.config.filters()) {
            error!(%error, broker = %self.url, "could not subscribe; nothing will be received");
        }
    }

    fn check(&self, suback: &SubAck) {
        let refused =
            suback.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
        match refused {
            None => self.health.broker_connected(),
            Some(code) => {
                self.health.broker_lost(&format!("it refused the shared subscription ({code:?})"));
                error!(broker = %self.url, ?code, "the broker refused the subscription; check its access rules");
            }
        }
    }

    fn take(&mut self, publish: Publish) {
        let Publish { qos, retain, pkid, topic, payload, .. } = publish;
        if !self.session.connected || self.session.closing {
            return;
        }
        self.metrics.received_broker.inc();
        self.metrics.retained.inc_by(u64::from(retain));
        match qos {
            QoS::AtMostOnce => {
                if self.waiting_messages >= usize::from(self.config.receive_maximum) {
                    self.metrics.shed.inc();
                    return;
                }
            }
            // We subscribe at QoS 1, so that is the highest that comes.
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.staged_ids.push(pkid),
        }
        self.staged.push(Inbound { topic, payload, cut_from: None });
    }

    fn hand_over_staged(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        let messages = std::mem::take(&mut self.staged);
        self.session.in_flight.push_back(std::mem::take(&mut self.staged_ids));
        self.waiting_messages += messages.len();
        self.waiting.push_back(Batch { messages, ticket: self.session.window.ticket() });
        // Most often there is a place; then nothing has to wait.
        while let Some(batch) = self.waiting.pop_front() {
            let messages = batch.messages.len();
            match self.lane.try_send(batch) {
                Ok(()) => self.waiting_messages -= messages,
                Err(mpsc::error::TrySendError::Full(batch) | mpsc::error::TrySendError::Closed(batch)) => {
                    self.waiting.push_front(batch);
                    return;
                }
            }
        }
    }

    fn send_waiting(&mut self, place: mpsc::Permit<'_, Batch>) {
        if let Some(batch) = self.waiting.pop_front() {
            self.waiting_messages -= batch.messages.len();
            place.send(batch);
        }
    }

    /// Acknowledges what was released, in order.
    fn acknowledge(&mut self) {
        for _ in 0..self.session.window.take_released() {
            let ids = self.session.in_flight.pop_front().unwrap_or_default();
            self.to_acknowledge.extend(ids);
        }
        self.retry_acknowledgements();
    }

    fn retry_acknowledgements(&mut self) {
        while let Some(&id) = self.to_acknowledge.front() {
            let mut publish = Publish::new("", QoS::AtLeastOnce, Bytes::new(), None);
            publish.pkid = id;
            if self.client.try_ack(&publish).is_err() {
                return;
            }
            self.to_acknowledge.pop_front();
            self.metrics.acknowledged_broker.inc();
        }
    }

    /// Forgets the connection: the broker sends again what it was not acknowledged. What was received stays on its way
    /// to the log, because a broker that restarts may have forgotten it.
    fn lose(&mut self, why: &str) {
        self.hand_over_staged();
        self.session = Session::new();
        self.to_acknowledge.clear();
        self.metrics.broker_connected.set(0);
        self.health.broker_lost(why);
        warn!(broker = %self.url, why, "no connection to the MQTT broker; trying on");
    }

    fn say_goodbye_when_done(&mut self) {
        let done =
            self.session.in_flight.is_empty() && self.to_acknowledge.is_empty() && self.staged.is_empty();
        if self.session.closing && done {
            // Behind the acknowledgements in the same queue.
            self.client.try_disconnect().ok();
        }
    }
}

/// Polls once: `None` when it would have to wait. The future goes on being polled later.
async fn ready_now<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
