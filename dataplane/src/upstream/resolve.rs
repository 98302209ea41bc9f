//! Endpoints given by name.
//!
//! The first request of a name waits for its lookup; after that answers come from memory, and are
//! renewed in the background when they are older than [`limits::DNS_TTL`]. A lookup that fails
//! leaves the last answer in force.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::limits;

/// The names in use, so that backends that share one share its answers.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeMap<Arc<str>, Weak<Name>>>);

impl Names {
    pub(crate) fn name(&self, text: &Arc<str>) -> Arc<Name> {
        let mut names = self.0.lock();
        let known = names.get(text).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let name = Arc::new(Name::new(Arc::clone(text)));
            names.insert(Arc::clone(text), Arc::downgrade(&name));
            name
        })
    }

    /// Forgets the names that nobody uses any more. To be called when some may have gone.
    pub(crate) fn forget_unused(&self) {
        let mut names = self.0.lock();
        names.retain(|_, name| name.strong_count() > 0);
    }
}

/// One name with its last answer.
#[derive(Debug)]
pub(crate) struct Name {
    text: Arc<str>,
    answer: ArcSwapOption<Answer>,
    /// Held by who looks it up.
    lookup: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Answer {
    addresses: Box<[IpAddr]>,
    at: Instant,
}

impl Name {
    fn new(text: Arc<str>) -> Self {
        Self {
            text,
            answer: ArcSwapOption::empty(),
            lookup: tokio::sync::Mutex::new(()),
        }
    }

    /// One of its addresses, by `turn`; `None` if it has none.
    pub(crate) async fn address(self: &Arc<Self>, port: u16, turn: usize) -> Option<SocketAddr> {
        if self.answer.load().is_none() {
            self.look_up_first().await;
        }
        let answer = self.answer.load_full()?;
        if answer.at.elapsed() > limits::DNS_TTL {
            self.renew();
        }
        let count = answer.addresses.len().max(1);
        let address = answer.addresses.get(turn % count)?;
        Some(SocketAddr::new(*address, port))
    }

    /// All its addresses, as far as they are known.
    pub(crate) fn addresses(&self, port: u16) -> Vec<SocketAddr> {
        let answer = self.answer.load();
        let addresses = answer.as_ref().map(|answer| answer.addresses.iter());
        let addresses = addresses.into_iter().flatten();
        addresses.map(|ip| SocketAddr::new(*ip, port)).collect()
    }

    /// Whether that is one of its addresses, as far as they are known.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let answer = self.answer.load();
        answer
            .as_ref()
            .is_some_and(|answer| answer.addresses.contains(&address))
    }

    async fn look_up_first(&self) {
        let _looking = self.lookup.lock().await;
        if self.answer.load().is_none() {
            self.look_up().await;
        }
    }

    fn renew(self: &Arc<Self>) {
        let name = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(_looking) = name.lookup.try_lock() {
                name.look_up().await;
            }
        });
    }

    async fn look_up(&self) {
        let lookup = tokio::net::lookup_host((&*self.text, 0));
        let addresses: Box<[IpAddr]> = match tokio::time::timeout(limits::DNS_TIMEOUT, lookup).await
        {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            Ok(Err(error)) => {
                warn!(name = %self.text, %error, "cannot resolve endpoint");
                self.last_addresses()
            }
            Err(_) => {
                warn!(name = %self.text, "cannot resolve endpoint: no answer in time");
                self.last_addresses()
            }
        };
        self.answer.store(Some(Arc::new(Answer {
            addresses,
            at: Instant::now(),
        })));
    }

    /// What stays in force when a lookup fails.
    fn last_addresses(&self) -> Box<[IpAddr]> {
        self.answer
            .load()
            .as_ref()
            .map(|last| last.addresses.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_resolves_and_keeps_its_answer() {
        let names = Names::default();
        let name = names.name(&"localhost".into());
        assert!(name.address(80, 0).await.unwrap().ip().is_loopback());
        let last = name.answer.load_full().unwrap();
        name.address(80, 1).await.unwrap();
        assert!(Arc::ptr_eq(&last, &name.answer.load_full().unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_has_no_address() {
        let names = Names::default();
        let name = names.name(&"no-such-host.invalid".into());
        assert_eq!(name.address(80, 0).await, None);
    }

    #[test]
    fn backends_share_a_name_while_one_of_them_lives() {
        let names = Names::default();
        let first = names.name(&"a.example".into());
        assert!(Arc::ptr_eq(&first, &names.name(&"a.example".into())));
        drop(first);
        names.forget_unused();
        assert!(!names.0.lock().contains_key("a.example"));
    }
}
