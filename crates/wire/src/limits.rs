//! How large messages get. Both ends of a stream use these, so that neither sends what the other
//! refuses.

/// A part of an update is closed when it reaches this many bytes, so that neither end holds a
/// large state twice: once as it is, and once as one message.
pub const PART_BYTES: usize = 1 << 20;

/// No message of the controller is larger: a part, and the one thing that goes beyond it. An object
/// in a cluster has at most 1.5 MiB; the rest is room for what a route says of each listener.
pub const MAX_UPDATE_BYTES: usize = 32 << 20;

/// Parts of one update, and with [`PART_BYTES`] a bound on a whole state: about a gibibyte.
pub const MAX_PARTS: usize = 1024;

/// No message of a data plane is larger.
pub const MAX_REPLY_BYTES: usize = 1 << 20;

/// Refused resources that one ack names; there is no use in more.
pub const MAX_REFUSED: usize = 64;

/// Port failures that one ack names: a Gateway has at most 64 listeners of its own, and its
/// ListenerSets may bring more.
pub const MAX_PORT_FAILURES: usize = 1024;

/// The bytes of a text in a reply, which may end in a status; the rest is cut off.
pub const MAX_TEXT: usize = 512;
