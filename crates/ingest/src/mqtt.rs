//! MQTT in, twice: the built-in publish-only [`listener`] for devices, and the [`broker`] client for those who have a
//! broker already. Both hand over the same batches and wait for the same tickets.

pub(crate) mod broker;
mod connection;
pub(crate) mod listener;
mod packet;

pub use broker::BrokerConfig;
pub use listener::ListenerConfig;

/// Why a connection of the listener ended: the closed list of the metric's label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It said goodbye.
    Disconnected,
    /// It went without a word.
    Lost,
    /// It was silent for one and a half times its keep-alive.
    KeepAlive,
    /// It did not say who it is in time.
    ConnectTimeout,
    /// What it sent first was no MQTT CONNECT.
    NotMqtt,
    /// It speaks an MQTT that we don't.
    Version,
    /// It sent what no packet can be.
    Malformed,
    /// It sent a packet that a publisher must not send.
    Protocol,
    /// It published at QoS 2.
    QosTwo,
    /// It sent a packet over the limit that is no publish.
    TooLarge,
    /// Another connection took its client id over.
    TakenOver,
    /// It does not read what we answer.
    Stalled,
    /// We stop.
    Shutdown,
}

impl End {
    pub(crate) const ALL: [Self; 13] = [
        Self::Disconnected,
        Self::Lost,
        Self::KeepAlive,
        Self::ConnectTimeout,
        Self::NotMqtt,
        Self::Version,
        Self::Malformed,
        Self::Protocol,
        Self::QosTwo,
        Self::TooLarge,
        Self::TakenOver,
        Self::Stalled,
        Self::Shutdown,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
            Self::KeepAlive => "keep_alive",
            Self::ConnectTimeout => "connect_timeout",
            Self::NotMqtt => "not_mqtt",
            Self::Version => "version",
            Self::Malformed => "malformed",
            Self::Protocol => "protocol",
            Self::QosTwo => "qos_2",
            Self::TooLarge => "too_large",
            Self::TakenOver => "taken_over",
            Self::Stalled => "stalled",
            Self::Shutdown => "shutdown",
        }
    }

    /// Returns the reason code of MQTT 5's DISCONNECT, where a client should hear one.
    pub(crate) const fn reason_code(self) -> Option<u8> {
        match self {
            Self::Disconnected | Self::Lost | Self::NotMqtt | Self::ConnectTimeout | Self::Stalled => None,
            Self::Malformed => Some(0x81),
            Self::Protocol => Some(0x82),
            Self::Version => Some(0x84),
            Self::Shutdown => Some(0x8B),
            Self::KeepAlive => Some(0x8D),
            Self::TakenOver => Some(0x8E),
            Self::TooLarge => Some(0x95),
            Self::QosTwo => Some(0x9B),
        }
    }
}
