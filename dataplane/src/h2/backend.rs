//! The connections of one worker to backends that speak HTTP/2.
//!
//! A connection takes [`limits::BACKEND_H2_STREAMS`] requests at a time, or as many as its backend
//! allows; a further one is made when all are full. Requests that come while one is being made wait
//! for it, as many as it will take, and do not make one each.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use http::uri::Scheme;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::http::message::BackendError;
use crate::limits;
use crate::stream::duplex::Duplex;

mod failure;
mod head;
mod session;
mod stream;

use session::Session;
pub(crate) use stream::Stream;

/// The connections of one worker, by what they lead to.
pub(crate) struct Sessions<K>(Arc<Mutex<BTreeMap<K, Group>>>);

/// Those that lead to one endpoint.
#[derive(Default)]
struct Group {
    sessions: Vec<Arc<Session>>,
    begun: Option<Begun>,
}

/// A connection that is being made.
struct Begun {
    outcome: watch::Receiver<Outcome>,
    /// Requests that wait for it, its own included.
    waiting: usize,
}

/// What became of it. When it is dropped before there is anything, somebody else is to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Connected,
    Failed,
}

impl<K> Default for Sessions<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone + Send + 'static> Sessions<K> {
    /// A stream on a connection that is there.
    pub(crate) fn open(&self, key: &K) -> Option<Stream> {
        self.0.lock().get(key)?.open()
    }

    /// A stream on a connection that is being made, or on one that `connect` makes. May be dropped
    /// at any time.
    ///
    /// Errors: those of `connect`, or why HTTP/2 did not begin. Who waits for another's connection
    /// that does not come about makes one itself: the error is for that one.
    pub(crate) async fn connect<E: From<BackendError>>(
        &self,
        key: K,
        connect: impl Future<Output = Result<Duplex, E>>,
    ) -> Result<Stream, E> {
        let connect = async {
            let stream = connect.await?;
            let scheme = match &stream {
                Duplex::Plain(_) => Scheme::HTTP,
                Duplex::Tls(_) => Scheme::HTTPS,
            };
            Ok((stream, scheme))
        };
        self.connect_over(key, connect).await
    }

    async fn connect_over<T, E>(
        &self,
        key: K,
        connect: impl Future<Output = Result<(T, Scheme), E>>,
    ) -> Result<Stream, E>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        E: From<BackendError>,
    {
        while let Some(mut outcome) = self.join(&key) {
            // An error says that who made it was dropped.
            let known = outcome.wait_for(|outcome| *outcome != Outcome::Unknown);
            if known.await.is_ok_and(|outcome| *outcome == Outcome::Failed) {
                break;
            }
            if let Some(stream) = self.open(&key) {
                return Ok(stream);
            }
        }
        let outcome = self.begin(key.clone());
        let made = self.make(key, connect).await;
        outcome.send_replace(match made {
            Ok(_) => Outcome::Connected,
            Err(_) => Outcome::Failed,
        });
        made
    }

    /// A place among those that wait for a connection.
    fn join(&self, key: &K) -> Option<watch::Receiver<Outcome>> {
        let mut groups = self.0.lock();
        let begun = groups.get_mut(key)?.begun.as_mut()?;
        if begun.is_over() || begun.waiting >= limits::BACKEND_H2_STREAMS {
            return None;
        }
        begun.waiting += 1;
        Some(begun.outcome.clone())
    }

    fn begin(&self, key: K) -> watch::Sender<Outcome> {
        let (sender, outcome) = watch::channel(Outcome::Unknown);
        let waiting = 1;
        let begun = Begun { outcome, waiting };
        self.0.lock().entry(key).or_default().begun = Some(begun);
        sender
    }

    async fn make<T, E>(
        &self,
        key: K,
        connect: impl Future<Output = Result<(T, Scheme), E>>,
    ) -> Result<Stream, E>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        E: From<BackendError>,
    {
        let (transport, scheme) = connect.await?;
        let begun = Session::begin(transport, scheme).await;
        let (session, driver) = begun.map_err(failure::of)?;
        let stream = session.open().ok_or(BackendError::Closed)?;
        let mut groups = self.0.lock();
        groups
            .entry(key.clone())
            .or_default()
            .sessions
            .push(session);
        drop(groups);
        let groups = Arc::downgrade(&self.0);
        // It ends with its connection.
        drop(tokio::spawn(async move {
            driver.run().await;
            if let Some(groups) = groups.upgrade() {
                forget_closed(&mut groups.lock(), &key);
            }
        }));
        Ok(stream)
    }
}

impl Begun {
    /// Whether nobody is at it any more.
    fn is_over(&self) -> bool {
        !matches!(self.outcome.has_changed(), Ok(false))
    }
}

impl Group {
    fn open(&self) -> Option<Stream> {
        self.sessions.iter().find_map(Session::open)
    }
}

fn forget_closed<K: Ord>(groups: &mut BTreeMap<K, Group>, key: &K) {
    let Some(group) = groups.get_mut(key) else {
        return;
    };
    group.sessions.retain(|session| session.is_open());
    if group.sessions.is_empty() && group.begun.as_ref().is_none_or(Begun::is_over) {
        groups.remove(key);
    }
}

#[cfg(test)]
mod tests;
