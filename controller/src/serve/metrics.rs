//! What is counted of the streams.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_metrics::{Counter, Exposition, Gauge, Kind};

/// What is counted of the streams to data planes.
#[derive(Debug, Default)]
pub struct ServeMetrics {
    /// Streams that are open now.
    pub active: Gauge,
    /// Streams that were begun.
    pub streams: Counter,
    /// Streams that were refused.
    pub refused: Counter,
    /// Full states that were sent.
    pub full_states: Counter,
    /// Changes that were sent.
    pub deltas: Counter,
    /// Bytes of either.
    pub bytes: Counter,
    /// Updates that data planes refused.
    pub nacks: Counter,
}

impl ServeMetrics {
    /// Counts a stream as open for as long as the value lives.
    pub(crate) fn stream(self: &Arc<Self>) -> OpenStream {
        self.streams.increment();
        self.active.add(1);
        OpenStream(Arc::clone(self))
    }

    pub(crate) fn sent(&self, kind: UpdateKind, parts: &[Bytes]) {
        match kind {
            UpdateKind::Full => self.full_states.increment(),
            UpdateKind::Delta => self.deltas.increment(),
        }
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        self.bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Writes all of it.
    pub fn expose(&self, out: &mut Exposition) {
        out.family(
            "portcullis_streams_active",
            Kind::Gauge,
            "Data planes' streams open now.",
        )
        .sample(&[], self.active.value());
        let counters = [
            (
                "portcullis_streams_total",
                "Data planes' streams begun.",
                &self.streams,
            ),
            (
                "portcullis_streams_refused_total",
                "Data planes' streams refused, by followers too.",
                &self.refused,
            ),
            (
                "portcullis_updates_bytes_total",
                "Bytes of updates sent to data planes.",
                &self.bytes,
            ),
            (
                "portcullis_updates_nacked_total",
                "Updates that data planes refused.",
                &self.nacks,
            ),
        ];
        for (name, help, counter) in counters {
            out.family(name, Kind::Counter, help)
                .sample(&[], counter.value());
        }
        let mut updates = out.family(
            "portcullis_updates_sent_total",
            Kind::Counter,
            "Updates sent to data planes.",
        );
        updates.sample(&[("kind", "full")], self.full_states.value());
        updates.sample(&[("kind", "delta")], self.deltas.value());
    }
}

/// What an update is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateKind {
    Full,
    Delta,
}

/// A stream that is counted as open until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<ServeMetrics>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.active.add(-1);
    }
}
