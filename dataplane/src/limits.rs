//! Every size, count and time that bounds what a peer can make the data plane do.
//!
//! All of them are here, so that a reader sees them together; later issues make some settable.

use std::time::Duration;

use socket2::TcpKeepalive;

/// Open client connections of one data plane; further ones wait in the kernel's accept queue.
pub(crate) const MAX_CONNECTIONS: usize = 50_000;

/// The kernel's accept queue of each listening socket.
pub(crate) const ACCEPT_BACKLOG: i32 = 4096;

/// What the kernel may hold of datagrams that a worker has not read yet, in each direction. Systems
/// allow less unless told otherwise (`net.core.rmem_max`).
pub(crate) const DATAGRAM_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// How long a UDP client's session is kept without a datagram in either direction.
pub(crate) const DATAGRAM_SESSION_IDLE: Duration = Duration::from_mins(1);

/// Sessions of UDP clients of one data plane. For one more, the one that has been idle for longest
/// ends: who forges source addresses gets no more memory than that.
pub(crate) const MAX_DATAGRAM_SESSIONS: usize = 16 * 1024;

/// Sessions of UDP clients take at most one in so many of the file descriptors that the process may
/// open, so that forged source addresses leave some for connections.
pub(crate) const DATAGRAM_SHARE_OF_DESCRIPTORS: u64 = 4;

/// How many times within the idle time sessions are looked through for those that expired: how
/// much longer than that time one may live.
pub(crate) const DATAGRAM_EXPIRY_LOOKS: u32 = 60;

/// The longest datagram: what the length field of UDP can say.
pub(crate) const MAX_DATAGRAM: usize = 64 * 1024;

/// Datagrams that are received or sent by one system call. Each has room for [`MAX_DATAGRAM`] bytes,
/// of which only what was ever used takes memory.
pub(crate) const DATAGRAM_BATCH: usize = 32;

/// Batches that are taken from one socket before the others have their turn.
pub(crate) const DATAGRAM_BATCHES: usize = 4;

/// Datagrams of one worker that wait for the name of an endpoint to be looked up.
pub(crate) const DATAGRAM_LOOKUPS: usize = 64;

/// How long accepting rests when the process or the host is out of descriptors or memory.
pub(crate) const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// From accept to the end of the TLS handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A ClientHello, its record headers included. TLS allows a handshake message of 2^24 bytes;
/// real ones with post-quantum key shares are below 4 KiB.
pub(crate) const MAX_CLIENT_HELLO: usize = 32 * 1024;

/// A request's head must be complete so long after its first byte.
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an HTTP/1.1 client connection may be idle between requests.
pub(crate) const CLIENT_KEEP_ALIVE: Duration = Duration::from_mins(1);

/// How long an HTTP/2 client connection may be without streams.
pub(crate) const CLIENT_H2_IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// The same once its client has been asked to leave, and may not have heard.
pub(crate) const CLIENT_H2_LEAVING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may pause within a request body.
pub(crate) const REQUEST_BODY_READ_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a client may leave an answer unread before its connection is closed.
pub(crate) const RESPONSE_WRITE_TIMEOUT: Duration = Duration::from_mins(5);

/// The request line and all header fields, decoded; more is answered 431.
pub(crate) const MAX_HEADER_LIST: usize = 64 * 1024;

/// Header fields of a request; more are answered 431.
pub(crate) const MAX_HEADERS: usize = 100;

/// What of a request's first line is not its target, for a line that does not end.
pub(crate) const MAX_METHOD: usize = 256;

/// The request target; more is answered 414.
pub(crate) const MAX_URI: usize = 16 * 1024;

/// The trailers of a message over HTTP/1.
pub(crate) const MAX_TRAILERS: usize = 16 * 1024;

/// Streams a client may have open on one HTTP/2 connection.
pub(crate) const MAX_CONCURRENT_STREAMS: u32 = 100;

/// HTTP/2 flow-control window of one stream: bounds what is buffered for a slow backend.
pub(crate) const H2_STREAM_WINDOW: u32 = 256 * 1024;

/// HTTP/2 flow-control window of one connection.
pub(crate) const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// HTTP/2 flow-control window of one connection to an endpoint: all its streams have their own in
/// full, so that clients which do not read their answers hold up none but themselves.
pub(crate) const BACKEND_H2_CONNECTION_WINDOW: u32 = 100 * H2_STREAM_WINDOW;

/// What is buffered per HTTP/2 stream on the way to the client.
pub(crate) const H2_SEND_BUFFER: usize = 256 * 1024;

/// How much of an answer is collected before it is written to an HTTP/1.1 client.
pub(crate) const WRITE_BUFFER: usize = 16 * 1024;

/// How long an idle connection on a closed port is still listened to: requests that were on their
/// way when it closed are answered.
pub(crate) const CLOSING_GRACE: Duration = Duration::from_millis(500);

/// How long and how much unread request is swallowed after an early answer, so that closing does
/// not destroy the answer on its way (RFC 9112 section 9.6).
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// See [`LINGER`].
pub(crate) const LINGER_BYTES: usize = 512 * 1024;

/// TCP connect to an endpoint.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The same where there is another endpoint to turn to: what has vanished answers nothing at all. Time
/// enough for every network within a region, though not for the kernel's first repetition, which
/// comes after a second.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_millis(250);

/// The same where the others are no better: time enough for every network there is.
pub(crate) const CONNECT_PATIENCE_MOST: Duration = Duration::from_millis(1250);

/// A request that has less time left than twice this does not tell whether an endpoint is there.
pub(crate) const CONNECT_PATIENCE_LEAST: Duration = Duration::from_millis(20);

/// How long an endpoint that could not be reached is left alone where others are sound; each time that
/// it is tried in vain doubles it.
pub(crate) const SHUNNED_FOR: Duration = Duration::from_secs(1);

/// How long at most.
pub(crate) const SHUNNED_FOR_MOST: Duration = Duration::from_secs(10);

/// TLS handshake with an endpoint, once connected.
pub(crate) const BACKEND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Endpoints of one backend whose TLS sessions are remembered.
pub(crate) const BACKEND_TLS_ENDPOINTS: usize = 1024;

/// Endpoints that are tried for one TLS or TCP connection before it is reset.
pub(crate) const MAX_CONNECT_ATTEMPTS: usize = 5;

/// How much one direction of a forwarded TLS or TCP connection holds at most of what was read and
/// not yet taken by the other side. While nothing waits, it holds nothing.
pub(crate) const FORWARD_BUFFER: usize = 32 * 1024;

/// Buffers that one worker keeps for the next to need one.
pub(crate) const SPARE_FORWARD_BUFFERS: usize = 64;

/// What is moved at once through a pipe between two sockets, if the pipe has room for it.
pub(crate) const FORWARD_PIPE: usize = 256 * 1024;

/// Pipes of one worker that hold something: each takes two file descriptors, and up to 64 KiB of
/// what the system lets a user have in pipes before it gives him smaller ones (64 MiB,
/// `fs.pipe-user-pages-soft`).
pub(crate) const FORWARD_PIPES: usize = 128;

/// Empty pipes that one worker keeps for the next to need one.
pub(crate) const SPARE_FORWARD_PIPES: usize = 16;

/// What one direction moves before the worker's other connections have their turn.
pub(crate) const FORWARD_TURN: usize = 1024 * 1024;

/// How long a forwarded TLS or TCP connection may go on without a byte once one side has ended.
///
/// While both sides are open there is no such limit: connections live as long as the two hosts do,
/// which TCP keep-alive tells ([`TCP_KEEP_ALIVE`]). Databases and message brokers keep theirs for
/// days.
pub(crate) const HALF_CLOSED_IDLE: Duration = Duration::from_hours(1);

/// How long an idle connection to an endpoint is kept. Backends that close sooner are noticed
/// when they do, and a request that meets the close is retried.
pub(crate) const BACKEND_KEEP_ALIVE: Duration = Duration::from_mins(1);

/// How often idle connections to endpoints are looked through.
pub(crate) const BACKEND_POOL_SWEEP: Duration = Duration::from_secs(1);

/// Idle connections to endpoints kept by one worker.
pub(crate) const BACKEND_POOL: usize = 1024;

/// Streams on one HTTP/2 connection to an endpoint.
pub(crate) const BACKEND_H2_STREAMS: usize = 100;

/// What is kept of a request's body so that it can be sent again.
pub(crate) const KEPT_BODY: usize = 64 * 1024;

/// Retries of one request, however many its route asks for.
pub(crate) const MAX_RETRIES: u32 = 100;

/// Retries of one request of our own accord, where a backend has or may have got it: when a pooled
/// connection turned out to be dead, or a connection broke before anything was answered.
pub(crate) const UNASKED_RETRIES: u32 = 2;

/// The same where no connection came about, each at another endpoint.
pub(crate) const UNASKED_CONNECTS: u32 = 4;

/// The wait before the first retry of a request whose route does not say.
pub(crate) const RETRY_BACKOFF: Duration = Duration::from_millis(25);

/// The largest share of a backend's requests that may be retries, in hundredths: GEP-3388's default.
/// Only requests of rules with `retry` count.
pub(crate) const RETRY_BUDGET_PERCENT: u64 = 20;

/// The time over which that share is taken: GEP-3388's default.
pub(crate) const RETRY_BUDGET_SECONDS: usize = 10;

/// Retries in that time that a backend is given whatever its load: ten a second, GEP-3388's default.
pub(crate) const RETRY_BUDGET_FLOOR: u64 = 100;

/// How long an endpoint's resolved name is used before it is looked up again in the background.
pub(crate) const DNS_TTL: Duration = Duration::from_secs(10);

/// The first lookup of a name, which requests wait for.
pub(crate) const DNS_TIMEOUT: Duration = Duration::from_secs(5);

/// TLS 1.2 sessions and TLS 1.3 stateful tickets remembered per listener.
pub(crate) const TLS_SESSIONS: usize = 4096;

/// Copies of requests (RequestMirror) that one worker has under way; further ones are not made.
pub(crate) const MAX_MIRRORS: usize = 256;

/// What of a body waits for a copy that does not keep up, before that copy is given up.
pub(crate) const MIRROR_BUFFER: usize = 1024 * 1024;

/// The same of all copies that one worker has under way.
pub(crate) const MIRROR_BUFFERS: usize = 32 * 1024 * 1024;

/// In how many pieces it may wait.
pub(crate) const MIRROR_CHUNKS: usize = 256;

/// How long a copy's backend may leave a piece of the body unread, and how long it may take for the
/// whole answer after the request.
pub(crate) const MIRROR_TIMEOUT: Duration = Duration::from_secs(15);

/// How much of an answer to a copy is read to keep its connection.
pub(crate) const MIRROR_ANSWER: usize = 1024 * 1024;

/// Connections tried for a copy without a body: pooled ones may have died.
pub(crate) const MIRROR_ATTEMPTS: usize = 3;

/// When TCP keep-alive probes start on a silent connection, and how often they go out.
pub(crate) const TCP_KEEP_ALIVE: Duration = Duration::from_mins(1);

/// [`TCP_KEEP_ALIVE`] as sockets take it.
pub(crate) fn tcp_keep_alive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(TCP_KEEP_ALIVE)
        .with_interval(TCP_KEEP_ALIVE)
}
