//! Keeps the Secret as it is planned, and the server certificate fresh.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, PostParams};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::issue::{self, IssueError};
use super::plan::{Times, plan};
use super::{Authority, Bundle, Ca, Content, SERVER_LIFE, seconds, secret};
use crate::leader::Leadership;

/// How often the Secret is looked at: another replica may have changed it, or somebody removed it.
const LOOK: Duration = Duration::from_secs(30);

/// And as long as there is nothing to serve with.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The DNS names by which data planes know the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// Those of a Service.
    pub fn of_service(name: &str, namespace: &str) -> Self {
        let short = format!("{name}.{namespace}.svc");
        let long = format!("{short}.cluster.local");
        Self(vec![short, long])
    }
}

/// Keeps the authority; see [`Keeper::run`].
pub struct Keeper {
    api: Api<Secret>,
    namespace: String,
    names: Names,
    leadership: Leadership,
    leading_since: Option<i64>,
    /// What signed the server certificate, and when that is made anew.
    signed_by: Option<(Ca, i64)>,
    bundle: watch::Sender<Option<Bundle>>,
    server: watch::Sender<Option<Arc<CertifiedKey>>>,
}

/// Why the authority could not be looked after. It is tried again.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("its Secret cannot be read or written: {0}")]
    Cluster(#[from] kube::Error),
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Keeper {
    /// Keeps the Secret in `namespace`, and certificates for `names`.
    pub fn new(
        client: Client,
        namespace: &str,
        names: Names,
        leadership: Leadership,
    ) -> (Self, Authority) {
        let (bundle, bundle_receiver) = watch::channel(None);
        let (server, server_receiver) = watch::channel(None);
        let keeper = Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            names,
            leadership,
            leading_since: None,
            signed_by: None,
            bundle,
            server,
        };
        let authority = Authority {
            bundle: bundle_receiver,
            server: server_receiver,
        };
        (keeper, authority)
    }

    /// Runs for ever. Followers read the Secret too, so that they can serve the moment they lead,
    /// and tell data planes in a trusted voice that they do not yet.
    pub async fn run(mut self) {
        let mut leadership = self.leadership.changes();
        loop {
            let now = Timestamp::now().as_second();
            self.leading_since = match (*leadership.borrow_and_update(), self.leading_since) {
                (false, _) => None,
                (true, None) => Some(now),
                (true, since) => since,
            };
            if let Err(error) = self.look(now).await {
                tracing::warn!(%error, "the controller's certificate authority");
            }
            let pause = match *self.server.borrow() {
                Some(_) => LOOK,
                None => LOOK_AGAIN,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = leadership.changed() => if changed.is_err() {
                    return;
                }
            }
        }
    }

    async fn look(&mut self, now: i64) -> Result<(), KeepError> {
        let before = self.api.get_opt(secret::NAME).await?;
        let held = before.as_ref().map(secret::content).unwrap_or_default();
        let content = match self.leading_since {
            Some(leading_since) => {
                let times = Times { now, leading_since };
                let wanted = plan(&held, times, || issue::mint(now))?;
                if wanted == held {
                    held
                } else if self.write(before, &wanted).await? == Written::Yes {
                    tracing::info!("wrote the controller's certificate authority");
                    wanted
                } else {
                    return Ok(());
                }
            }
            None => held,
        };
        self.use_it(&content, now)
    }

    /// Create or replace, and never over what another wrote meanwhile.
    async fn write(&self, before: Option<Secret>, content: &Content) -> Result<Written, KeepError> {
        let params = PostParams::default();
        let is_new = before.is_none();
        let wanted = secret::secret(content, &self.namespace, before);
        if !self.leadership.is_held() {
            return Ok(Written::No);
        }
        let written = if is_new {
            self.api.create(&params, &wanted).await
        } else {
            // It carries the resourceVersion that was read.
            self.api.replace(secret::NAME, &params, &wanted).await
        };
        match written {
            Ok(_) => Ok(Written::Yes),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Written::No),
            Err(error) => Err(error.into()),
        }
    }

    fn use_it(&mut self, content: &Content, now: i64) -> Result<(), KeepError> {
        if let Some(bundle) = content.bundle() {
            self.bundle.send_if_modified(|told| {
                let is_new = told.as_ref() != Some(&bundle);
                *told = Some(bundle);
                is_new
            });
        }
        let signer = content.current.as_ref().filter(|ca| !ca.key.is_empty());
        let Some(signer) = signer.filter(|ca| now < ca.not_after) else {
            return Ok(());
        };
        let is_fresh = |(by, renew_at): &(Ca, i64)| by == signer && now < *renew_at;
        if self.signed_by.as_ref().is_some_and(is_fresh) {
            return Ok(());
        }
        let Names(names) = &self.names;
        let (certificate, not_after) = issue::issue(signer, names, now)?;
        self.server.send_replace(Some(certificate));
        let renew_at = not_after - seconds(SERVER_LIFE) / 2;
        self.signed_by = Some((signer.clone(), renew_at));
        Ok(())
    }
}

/// Whether a write was made. It is not when another was faster, or leads by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Yes,
    No,
}

#[cfg(test)]
mod tests;
