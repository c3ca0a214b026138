//! The packets of MQTT 3.1, 3.1.1 and 5 that a publisher sends, and what it is answered.
//!
//! Reading is liberal where a device in the field can't be mended and nothing is lost by it: reserved flags, a will's
//! flags without a will, a password without a user name, a client id that is empty or too long, text that is not
//! UTF-8, bytes after the end. It is strict where a length does not fit.

use bytes::{BufMut as _, Bytes, BytesMut};

/// MQTT's versions; what follows CONNECT is read by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    /// 3.1 (`MQIsdp`) and 3.1.1: the same to a publisher.
    Three,
    /// 5.0.
    Five,
}

/// The first bytes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    first: u8,
    /// Bytes of the head itself.
    pub(super) length: usize,
    /// Bytes after it.
    pub(super) remaining: usize,
}

/// What a publisher sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Packet {
    Publish(Publish),
    Subscribe {
        id: u16,
        filters: usize,
    },
    Unsubscribe {
        id: u16,
        filters: usize,
    },
    Ping,
    Disconnect,
    /// One that a publisher must not send.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Publish {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
}

/// Quality of service, with the packet id that belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum QoS {
    Zero,
    One(u16),
    Two,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Connect {
    pub(super) version: Version,
    pub(super) client_id: Bytes,
    /// 0 = none.
    pub(super) keep_alive_s: u16,
    /// MQTT 5's extended authentication, which is not spoken here.
    pub(super) wants_authentication: bool,
}

/// Bytes that are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Malformed {
    /// It ends before its fields do.
    Truncated,
    /// A length of more than four digits.
    Length,
    /// A packet id of 0.
    PacketId,
    /// A quality of service of 3.
    QoS,
    /// MQTT 5: an empty topic would be an alias, and none were offered.
    TopicAlias,
}

/// CONNECT that can't be answered with a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadConnect {
    /// Not an MQTT CONNECT.
    NotMqtt,
    /// An MQTT that is not spoken here.
    Version,
    /// Its lengths do not fit.
    Malformed,
}

impl Head {
    /// Reads a head; `None` while its bytes are not all there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&first, mut rest)) = bytes.split_first() else { return Ok(None) };
        let before = rest.len();
        match varint(&mut rest) {
            Ok(remaining) => Ok(Some(Self { first, length: 1 + before - rest.len(), remaining })),
            Err(Malformed::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the length of the whole packet.
    pub(super) fn total(self) -> usize {
        self.length + self.remaining
    }

    pub(super) fn is_connect(self) -> bool {
        self.first == 0x10
    }

    pub(super) fn is_publish(self) -> bool {
        self.first >> 4 == 3
    }
}

/// Reads a packet's bytes; of a PUBLISH all or, when only its beginning is kept, at least its topic.
pub(super) fn read(head: Head, packet: &Bytes, version: Version) -> Result<Packet, Malformed> {
    let mut rest = packet.get(head.length..).unwrap_or_default();
    match head.first >> 4 {
        3 => publish(head.first, packet, rest, version).map(Packet::Publish),
        8 => {
            let id = packet_id(&mut rest)?;
            skip_properties(&mut rest, version)?;
            Ok(Packet::Subscribe { id, filters: filters(rest, 1)? })
        }
        10 => {
            let id = packet_id(&mut rest)?;
            skip_properties(&mut rest, version)?;
            Ok(Packet::Unsubscribe { id, filters: filters(rest, 0)? })
        }
        12 => Ok(Packet::Ping),
        14 => Ok(Packet::Disconnect),
        _ => Ok(Packet::Other),
    }
}

/// Reads a CONNECT.
pub(super) fn read_connect(head: Head, packet: &Bytes) -> Result<Connect, BadConnect> {
    const PASSWORD: u8 = 0x40;
    const USER_NAME: u8 = 0x80;
    const WILL: u8 = 0x04;
    let mut rest = packet.get(head.length..).unwrap_or_default();
    let rest = &mut rest;
    let (Ok(name), Ok(level)) = (binary(rest), byte(rest)) else { return Err(BadConnect::NotMqtt) };
    let version = match (name, level) {
        // A bridge of Mosquitto sets the highest bit.
        (b"MQIsdp", _) | (b"MQTT", 3 | 4 | 0x83 | 0x84) => Version::Three,
        (b"MQTT", 5) => Version::Five,
        (b"MQTT", _) => return Err(BadConnect::Version),
        _ => return Err(BadConnect::NotMqtt),
    };
    let fields = |rest: &mut &[u8]| {
        let flags = byte(rest)?;
        let keep_alive_s = short(rest)?;
        let wants_authentication = match version {
            Version::Three => false,
            Version::Five => names_authentication(properties(rest)?)?,
        };
        let client_id = packet.slice_ref(binary(rest)?);
        if flags & WILL != 0 {
            skip_properties(rest, version)?;
            binary(rest)?;
            binary(rest)?;
        }
        for credential in [USER_NAME, PASSWORD] {
            if flags & credential != 0 {
                binary(rest)?;
            }
        }
        Ok(Connect { version, client_id, keep_alive_s, wants_authentication })
    };
    fields(rest).map_err(|_: Malformed| BadConnect::Malformed)
}

fn publish(first: u8, packet: &Bytes, mut rest: &[u8], version: Version) -> Result<Publish, Malformed> {
    let topic = binary(&mut rest)?;
    let qos = match first >> 1 & 0b11 {
        0 => QoS::Zero,
        1 => QoS::One(packet_id(&mut rest)?),
        2 => QoS::Two,
        _ => return Err(Malformed::QoS),
    };
    if qos != QoS::Two {
        skip_properties(&mut rest, version)?;
    }
    if topic.is_empty() && version == Version::Five {
        return Err(Malformed::TopicAlias);
    }
    Ok(Publish {
        qos,
        retain: first & 1 != 0,
        topic: packet.slice_ref(topic),
        payload: packet.slice_ref(rest),
    })
}

/// Counts topic filters, each followed by `after` bytes of options.
fn filters(mut rest: &[u8], after: usize) -> Result<usize, Malformed> {
    let mut filters = 0;
    while !rest.is_empty() {
        binary(&mut rest)?;
        take(&mut rest, after)?;
        filters += 1;
    }
    Ok(filters)
}

/// Tells whether CONNECT's properties name an authentication method.
fn names_authentication(mut properties: &[u8]) -> Result<bool, Malformed> {
    while let Some((&name, rest)) = properties.split_first() {
        properties = rest;
        match name {
            // Session expiry, maximum packet size.
            0x11 | 0x27 => drop(take(&mut properties, 4)?),
            // Receive maximum, topic alias maximum.
            0x21 | 0x22 => drop(take(&mut properties, 2)?),
            // Request response information, request problem information.
            0x19 | 0x17 => drop(take(&mut properties, 1)?),
            // User property: a name and a value.
            0x26 => {
                binary(&mut properties)?;
                binary(&mut properties)?;
            }
            0x15 => return Ok(true),
            // Of unknown length: what follows can't be told, and nothing of it is needed.
            _ => return Ok(false),
        }
    }
    Ok(false)
}

fn skip_properties(rest: &mut &[u8], version: Version) -> Result<(), Malformed> {
    if version == Version::Five {
        properties(rest)?;
    }
    Ok(())
}

fn properties<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = varint(rest)?;
    take(rest, length)
}

fn packet_id(rest: &mut &[u8]) -> Result<u16, Malformed> {
    match short(rest)? {
        0 => Err(Malformed::PacketId),
        id => Ok(id),
    }
}

fn varint(rest: &mut &[u8]) -> Result<usize, Malformed> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let digit = byte(rest)?;
        value |= usize::from(digit & 0x7F) << shift;
        if digit & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::Length)
}

fn byte(rest: &mut &[u8]) -> Result<u8, Malformed> {
    let (&first, after) = rest.split_first().ok_or(Malformed::Truncated)?;
    *rest = after;
    Ok(first)
}

fn short(rest: &mut &[u8]) -> Result<u16, Malformed> {
    Ok(u16::from_be_bytes([byte(rest)?, byte(rest)?]))
}

fn binary<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = short(rest)?;
    take(rest, usize::from(length))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
    *rest = after;
    Ok(taken)
}

/// What the listener offers in an MQTT 5 CONNACK.
pub(super) struct Offer<'a> {
    pub(super) receive_maximum: u16,
    pub(super) packet_bytes: u32,
    /// Where the client did not bring a client id.
    pub(super) assigned_id: Option<&'a str>,
}

pub(super) fn write_connack(out: &mut BytesMut, version: Version, offer: &Offer<'_>) {
    if version == Version::Three {
        out.extend_from_slice(&[0x20, 2, 0, 0]);
        return;
    }
    let mut properties = BytesMut::with_capacity(64);
    properties.put_u8(0x21);
    properties.put_u16(offer.receive_maximum);
    properties.put_u8(0x27);
    properties.put_u32(offer.packet_bytes);
    // Session expiry 0, at most QoS 1, and nothing to subscribe to: no wildcards, subscription ids or shared ones.
    properties.extend_from_slice(&[0x11, 0, 0, 0, 0, 0x24, 1, 0x28, 0, 0x29, 0, 0x2A, 0]);
    if let Some(id) = offer.assigned_id {
        properties.put_u8(0x12);
        properties.put_u16(id.len() as u16);
        properties.extend_from_slice(id.as_bytes());
    }
    // All of it is below 128 bytes: lengths are one byte each.
    out.extend_from_slice(&[0x20, 3 + properties.len() as u8, 0, 0, properties.len() as u8]);
    out.extend_from_slice(&properties);
}

/// Refuses a CONNECT; MQTT 3 knows few reasons, MQTT 5 more.
pub(super) fn write_refusal(out: &mut BytesMut, version: Version, three: u8, five: u8) {
    match version {
        Version::Three => out.extend_from_slice(&[0x20, 2, 0, three]),
        Version::Five => out.extend_from_slice(&[0x20, 3, 0, five, 0]),
    }
}

pub(super) fn write_puback(out: &mut BytesMut, id: u16) {
    out.extend_from_slice(&[0x40, 2]);
    out.put_u16(id);
}

pub(super) fn write_pong(out: &mut BytesMut) {
    out.extend_from_slice(&[0xD0, 0]);
}

/// Refuses every filter: nobody listens here.
pub(super) fn write_suback(out: &mut BytesMut, version: Version, id: u16, filters: usize) {
    const FAILURE: u8 = 0x80;
    const NOT_AUTHORIZED: u8 = 0x87;
    match version {
        Version::Three => write_codes(out, 0x90, id, &[], FAILURE, filters),
        Version::Five => write_codes(out, 0x90, id, &[0], NOT_AUTHORIZED, filters),
    }
}

pub(super) fn write_unsuback(out: &mut BytesMut, version: Version, id: u16, filters: usize) {
    const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;
    match version {
        Version::Three => write_codes(out, 0xB0, id, &[], 0, 0),
        Version::Five => write_codes(out, 0xB0, id, &[0], NO_SUBSCRIPTION_EXISTED, filters),
    }
}

fn write_codes(out: &mut BytesMut, first: u8, id: u16, properties: &[u8], code: u8, count: usize) {
    out.put_u8(first);
    put_varint(out, 2 + properties.len() + count);
    out.put_u16(id);
    out.extend_from_slice(properties);
    out.put_bytes(code, count);
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    loop {
        let digit = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.put_u8(digit);
            return;
        }
        out.put_u8(digit | 0x80);
    }
}

pub(super) fn write_disconnect(out: &mut BytesMut, reason: u8) {
    out.extend_from_slice(&[0xE0, 1, reason]);
}
