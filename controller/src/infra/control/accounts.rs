//! Which service accounts the data planes of our Gateways have.

use std::sync::Arc;

use portcullis_ir::ObjectKey;

use super::Control;
use crate::infra::decide::{Ownership, ownership};
use crate::infra::resource::{ResourceId, ResourceKind};
use crate::serve::identity::{Accounts, ServiceAccount};

impl Control {
    /// What is known of service accounts may no longer hold.
    pub(super) fn doubt_accounts(&mut self, id: &ResourceId) {
        if id.kind == ResourceKind::ServiceAccount {
            self.accounts = None;
        }
    }

    /// The service accounts, if they may be others than those that were told last.
    pub(super) fn new_accounts(&mut self) -> Option<Arc<Accounts>> {
        if self.accounts.is_some() {
            return None;
        }
        let accounts = Arc::new(self.proven_accounts());
        self.accounts = Some(Arc::clone(&accounts));
        Some(accounts)
    }

    /// A name proves nothing: an account may have been there before, and names of two Gateways may
    /// be the same. Only those count that are owned by a Gateway of ours.
    fn proven_accounts(&self) -> Accounts {
        let wanted = self.wanted.iter().flat_map(|wanted| &wanted.gateways);
        let accounts = wanted.flat_map(|(gateway, infra)| {
            let owned = self.owned.get(gateway).into_iter().flatten();
            owned
                .filter(|id| id.kind == ResourceKind::ServiceAccount)
                .filter(|id| self.is_owned(id, gateway, &infra.uid))
                .map(|id| (account(id), gateway.clone()))
        });
        accounts.collect()
    }

    fn is_owned(&self, id: &ResourceId, gateway: &ObjectKey, uid: &str) -> bool {
        let live = self.live.get(id);
        live.is_some_and(|live| ownership(live, &gateway.name, uid) == Ownership::Ours)
    }
}

fn account(id: &ResourceId) -> ServiceAccount {
    ServiceAccount {
        namespace: id.namespace.as_str().into(),
        name: id.name.as_str().into(),
    }
}
