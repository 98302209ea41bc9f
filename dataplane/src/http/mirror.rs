//! RequestMirror: copies of requests, whose answers are thrown away.
//!
//! A copy has a task of its own, which no request waits for: the head goes there when the request
//! is forwarded, the body as it arrives. Whatever keeps a copy from its backend loses that copy
//! alone, and is counted.
//!
//! A request is copied once, not once per attempt at its backend. An upgrade is not copied: what
//! follows it is a talk of two.

mod chance;
mod head;
mod send;
mod tee;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http::header;
use portcullis_ir::filter::{Filter, Share};
use tokio::sync::Semaphore;

use self::chance::Chance;
use self::send::Sending;
pub(crate) use self::tee::Tee;
use super::filter::Filters;
use super::message::{Length, RequestHead};
use super::spot::Spot;
use crate::limits;
use crate::listener::connection::Connection;
use crate::metrics::MirrorLoss;
use crate::upstream::cluster::{Cluster, Clusters};
use crate::upstream::pool::Pool;

/// One mirror of a rule or of a backendRef.
#[derive(Debug)]
pub(crate) struct Mirror {
    share: Share,
    cluster: Arc<Cluster>,
    /// What is done to the copy: the filters before this one. "Wherever possible, implementations
    /// SHOULD implement filters in the order they are specified." (`HTTPRouteRule.Filters`)
    filters: Filters,
}

impl Mirror {
    /// The mirrors for requests of a rule that go to one of its backends.
    pub(crate) fn all(of_rule: &[Filter], of_ref: &[Filter], clusters: &Clusters) -> Box<[Self]> {
        let places = of_rule.iter().chain(of_ref).enumerate();
        let mirrors = places.filter_map(|(place, filter)| {
            let Filter::Mirror(mirror) = filter else {
                return None;
            };
            let in_ref = place.saturating_sub(of_rule.len());
            let rule = of_rule.get(..place).unwrap_or(of_rule);
            let cluster = clusters.cluster(&mirror.backend);
            (mirror.share.numerator() > 0).then(|| Self {
                share: mirror.share,
                cluster: cluster.unwrap_or_else(Cluster::empty),
                filters: Filters::compile(rule, of_ref.get(..in_ref).unwrap_or_default()),
            })
        });
        mirrors.collect()
    }
}

/// What the copies of one worker's requests share.
pub(crate) struct Mirrors {
    pool: Arc<Pool>,
    /// How many there may be at a time.
    room: Arc<Semaphore>,
    /// Bytes of bodies on their way.
    queued: Arc<AtomicUsize>,
    chance: Chance,
}

/// A request that is about to be forwarded.
pub(crate) struct Original<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) has_body: bool,
    pub(crate) connection: &'a Connection,
    /// How many bytes of the path the match's prefix took.
    pub(crate) prefix: Option<usize>,
    pub(crate) spot: &'a Arc<Spot>,
}

impl Mirrors {
    pub(crate) fn new(pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self {
            pool,
            room: Arc::new(Semaphore::new(limits::MAX_MIRRORS)),
            queued: Arc::default(),
            chance: Chance::new(),
        })
    }

    /// Begins the copies that are due; what it answers must be given the request's body. `None` if
    /// nobody waits for one.
    pub(crate) fn copy(
        self: &Arc<Self>,
        mirrors: &[Mirror],
        original: &Original<'_>,
    ) -> Option<Box<Tee>> {
        let mut tee = Tee::default();
        for mirror in mirrors {
            if !self.chance.takes(mirror.share) {
                continue;
            }
            if let Err(loss) = self.begin(mirror, original, &mut tee) {
                count_loss(original.spot, loss);
            }
        }
        (original.has_body && !tee.is_idle()).then(|| Box::new(tee))
    }

    fn begin(
        self: &Arc<Self>,
        mirror: &Mirror,
        original: &Original<'_>,
        tee: &mut Tee,
    ) -> Result<(), MirrorLoss> {
        let Original {
            head,
            has_body,
            connection,
            prefix,
            spot,
        } = original;
        if head.headers.contains_key(header::UPGRADE) {
            return Err(MirrorLoss::Upgrade);
        }
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| MirrorLoss::TooMany)?;
        let copied = head::copied(head, &mirror.filters, *prefix, connection);
        let mut head = copied.map_err(|_| MirrorLoss::BadRequest)?;
        let body = has_body.then(|| tee.branch(Arc::clone(&self.queued)));
        if body.is_none() && head.length == Length::Open {
            head.length = Length::Nothing;
        }
        let sending = Sending {
            mirrors: Arc::clone(self),
            cluster: Arc::clone(&mirror.cluster),
            head,
            body,
            spot: Arc::clone(spot),
        };
        tokio::spawn(async move {
            sending.run().await;
            drop(room);
        });
        Ok(())
    }
}

fn count_loss(spot: &Spot, loss: MirrorLoss) {
    if let Some(metrics) = &spot.metrics {
        metrics.mirrors_lost[loss].increment();
    }
}

fn count_copy(spot: &Spot) {
    if let Some(metrics) = &spot.metrics {
        metrics.mirrored.increment();
    }
}
