//! A watch of objects of one type that never ends.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::backoff::backoff;
use super::ledger::{Changes, Ledger};

/// Events that are already there are taken together, up to so many.
const AT_ONCE: usize = 256;

/// The API server ends a watch after so many seconds, and it is begun again where it ended. A connection
/// that is dead without a sign is noticed five seconds later.
pub(crate) const WATCH_SECONDS: u32 = 60;

/// Follows all objects of an API: first those there are, then their changes.
///
/// Survives disconnects, restarts of the API server and expired resource versions, with back-off;
/// what went meanwhile is told. `what` names the objects in the log, such as `pods`. The stream does
/// not end.
pub fn changes<K>(
    api: Api<K>,
    config: watcher::Config,
    what: &'static str,
) -> impl Stream<Item = Changes<K>> + Send + use<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    changes_since(Arc::default(), api, config, what)
}

/// The same, as the continuation of an earlier watch of the same objects: `ledger` is what that one
/// told.
pub(super) fn changes_since<K>(
    ledger: Arc<Mutex<Ledger>>,
    api: Api<K>,
    config: watcher::Config,
    what: &'static str,
) -> impl Stream<Item = Changes<K>> + Send + use<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watcher(api, config.timeout(WATCH_SECONDS))
        .backoff(backoff())
        .filter_map(move |event| std::future::ready(told(what, event)))
        .ready_chunks(AT_ONCE)
        .map(move |events| ledger.lock().take(events))
}

fn told<K>(
    what: &'static str,
    event: Result<watcher::Event<K>, watcher::Error>,
) -> Option<watcher::Event<K>> {
    match event {
        Ok(event) => Some(event),
        Err(error) => {
            match status_code(&error) {
                // "too old resource version": listing anew is all there is to do.
                Some(410) => tracing::debug!(what, %error, "watch expired"),
                Some(403) => {
                    let error = error_chain(&error);
                    tracing::error!(what, error, "watch refused: grant list and watch");
                }
                _ => {
                    let error = error_chain(&error);
                    tracing::warn!(what, error, "watch interrupted; trying again");
                }
            }
            None
        }
    }
}

fn status_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// An error with its sources, in one line. What the API server said of a refusal is all there is to
/// say about it.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kube::Error::Api(status)) = error.downcast_ref() {
            return format!("{} (code {})", status.message, status.code);
        }
        let more = error.to_string();
        if !text.ends_with(&more) {
            let separator = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{separator}{more}");
        }
        next = error.source();
    }
    text
}
