//! gRPC messages put together from bytes that are encoded already.
//!
//! A protobuf message's fields may stand in any order and a repeated field's entries are simply one after the other, so a
//! frame is: five bytes of gRPC prefix, the entries as the tiles hold them, then the other fields.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use http_body::Frame;
use tonic::{Code, Status};
use wire::v1;

/// A frame is closed when it reaches this: well below the 4 MiB that receivers take by default, and little enough for a
/// slow stream to hold on to.
pub(crate) const FULL: usize = 256 * 1024;

/// Not compressed, then the length: what precedes each message of a gRPC stream.
const PREFIX: usize = 5;

/// What names a frame that several watchers share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StepKey {
    pub(crate) kind: v1::state_update::Kind,
    /// The commit that the watchers had before; 0 for a snapshot.
    pub(crate) since: u64,
    /// Where it begins.
    pub(crate) next: usize,
}

/// A message being put together.
pub(crate) struct FrameBuilder {
    bytes: BytesMut,
}

impl FrameBuilder {
    pub(crate) fn new() -> Self {
        let mut bytes = BytesMut::with_capacity(1024);
        bytes.put_bytes(0, PREFIX);
        Self { bytes }
    }

    /// Where entries are appended.
    pub(crate) fn entries(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == PREFIX
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// Appends the other fields, and returns the message with its prefix.
    pub(crate) fn finish(mut self, other_fields: &[u8]) -> Bytes {
        self.bytes.put_slice(other_fields);
        let length = u32::try_from(self.bytes.len() - PREFIX).expect("a frame is closed long before 4 GiB");
        self.bytes[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        self.bytes.freeze()
    }
}

/// The body of a streaming answer: finished frames, then the status.
pub(crate) struct FrameBody<S> {
    frames: Pin<Box<S>>,
    ended: bool,
}

impl<S: Stream<Item = Result<Bytes, Status>>> FrameBody<S> {
    pub(crate) fn new(frames: S) -> Self {
        Self { frames: Box::pin(frames), ended: false }
    }
}

impl<S: Stream<Item = Result<Bytes, Status>>> http_body::Body for FrameBody<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let status = match ready!(self.frames.as_mut().poll_next(cx)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(Frame::data(frame)))),
            Some(Err(status)) => status,
            None => Status::new(Code::Ok, ""),
        };
        self.ended = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }
}

fn trailers(status: &Status) -> http::HeaderMap {
    let mut trailers = http::HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", http::HeaderValue::from_static("13"));
    }
    trailers
}
