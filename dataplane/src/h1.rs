//! HTTP/1.0 and 1.1 on both sides: the codec, and the two ends that the exchange goes between.
//!
//! The codec does no I/O: [`scan`] finds where a head ends, [`head`] makes a message's head of it,
//! [`framing`] decides, in one place, where its body ends, [`body`] and [`chunked`] cut the body out of
//! the bytes that come, [`encode`] writes heads. [`client`] and [`backend`] are thin shells around it.
//!
//! Nothing is copied that can be shared: field values, the target and pieces of bodies are slices of
//! the buffer that was read into. Nothing is allocated per message but the map of its fields: names
//! that came before are remembered ([`names`]), buffers are shared by all connections of a thread
//! ([`spare`]), and a connection that waits for its next request holds none.
//!
//! Invariant: what this reads as one message, every other reader of RFC 9112 reads as the same one
//! message. What could be understood in two ways is refused, never repaired.

pub(crate) mod backend;
pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod client;
pub(crate) mod encode;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod names;
pub(crate) mod outgoing;
pub(crate) mod scan;
pub(crate) mod spare;
pub(crate) mod spelling;
pub(crate) mod target;
pub(crate) mod wire;
