//! Which pod is on a stream, and which Gateway it may serve.
//!
//! A pod shows the token of its service account, made for the audience `portcullis` and bound to
//! the pod. The API server says whose it is; the account says which Gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use k8s_openapi::api::authentication::v1::{
    TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo,
};
use kube::api::{Api, PostParams};
use portcullis_ir::ObjectKey;
use tonic::Status;

/// What data planes' tokens are made for. Tokens for the API server are refused.
pub const AUDIENCE: &str = "portcullis";

/// Where the API server says which pod a token is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// A longer one is none: they have about 1 KiB.
const MAX_TOKEN: usize = 16 * 1024;

/// A service account of a Gateway's data planes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceAccount {
    /// Its namespace, which is the Gateway's.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// The service accounts of all our Gateways.
pub type Accounts = BTreeMap<ServiceAccount, ObjectKey>;

/// A data plane's pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pod {
    /// The Gateway it serves.
    pub(crate) gateway: ObjectKey,
    /// Its name, in the Gateway's namespace.
    pub(crate) name: Arc<str>,
    /// Tells it from others of that name.
    pub(crate) uid: Arc<str>,
}

/// Who shows a token, as the API server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) account: ServiceAccount,
    pub(crate) pod: Arc<str>,
    pub(crate) uid: Arc<str>,
}

/// A service account's token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// Asks whose a token is.
pub trait Review: Send + Sync + 'static {
    /// What the API server says of `token`. An error is one of the cluster: asking again may help.
    fn review(&self, token: Token) -> BoxFuture<'_, Result<TokenReviewStatus, kube::Error>>;
}

/// The API server.
impl Review for kube::Client {
    fn review(&self, token: Token) -> BoxFuture<'_, Result<TokenReviewStatus, kube::Error>> {
        let api: Api<TokenReview> = Api::all(self.clone());
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![AUDIENCE.to_owned()]),
                token: Some(token.0),
            },
            ..TokenReview::default()
        };
        Box::pin(async move {
            let answer = api.create(&PostParams::default(), &review).await?;
            Ok(answer.status.unwrap_or_default())
        })
    }
}

/// Why a pod gets no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no bearer token")]
    NoToken,
    #[error("the token cannot be reviewed: {0}")]
    NoReview(#[source] kube::Error),
    #[error("the token is not valid: {0}")]
    Invalid(String),
    #[error("{0:?} is no service account")]
    NoServiceAccount(String),
    #[error("the token is not bound to a pod")]
    NoPod,
    #[error("service account {namespace}/{name} is of no Gateway's data planes")]
    NoGateway { namespace: Arc<str>, name: Arc<str> },
    #[error("this pod serves Gateway {own}, not {asked}")]
    OtherGateway { own: ObjectKey, asked: ObjectKey },
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoReview(_) => Self::unavailable(text),
            Refusal::NoToken | Refusal::Invalid(_) => Self::unauthenticated(text),
            Refusal::NoServiceAccount(_)
            | Refusal::NoPod
            | Refusal::NoGateway { .. }
            | Refusal::OtherGateway { .. } => Self::permission_denied(text),
        }
    }
}

/// The token that a request shows.
pub(crate) fn token(headers: &HeaderMap) -> Result<Token, Refusal> {
    let value = headers.get(AUTHORIZATION).ok_or(Refusal::NoToken)?;
    let text = value.to_str().map_err(|_| Refusal::NoToken)?;
    match text.strip_prefix("Bearer ") {
        Some(token) if !token.is_empty() && token.len() <= MAX_TOKEN => Ok(Token(token.to_owned())),
        _ => Err(Refusal::NoToken),
    }
}

/// Who shows the token, by what the API server said of it.
pub(crate) fn bearer(status: TokenReviewStatus) -> Result<Bearer, Refusal> {
    let TokenReviewStatus {
        audiences,
        authenticated,
        error,
        user,
    } = status;
    if authenticated != Some(true) {
        return Err(Refusal::Invalid(error.unwrap_or_default()));
    }
    // "If a TokenReview returns an empty status.audience field where status.authenticated is
    // "true", the token is valid against the audience of the Kubernetes API server."
    if !audiences.is_some_and(|audiences| audiences.iter().any(|one| one == AUDIENCE)) {
        return Err(Refusal::Invalid(format!("its audience is not {AUDIENCE}")));
    }
    let UserInfo {
        extra,
        groups: _,
        uid: _,
        username,
    } = user.unwrap_or_default();
    let account = account(username.unwrap_or_default())?;
    let extra = extra.unwrap_or_default();
    let only = |key| match extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Ok(Arc::from(value.as_str())),
        _ => Err(Refusal::NoPod),
    };
    Ok(Bearer {
        account,
        pod: only(POD_NAME)?,
        uid: only(POD_UID)?,
    })
}

fn account(user: String) -> Result<ServiceAccount, Refusal> {
    let named = user
        .strip_prefix("system:serviceaccount:")
        .and_then(|account| account.split_once(':'));
    let Some((namespace, name)) = named else {
        return Err(Refusal::NoServiceAccount(user));
    };
    Ok(ServiceAccount {
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// The pod with the Gateway it may serve.
pub(crate) fn pod(bearer: &Bearer, accounts: &Accounts) -> Result<Pod, Refusal> {
    let Bearer { account, pod, uid } = bearer;
    let Some(gateway) = accounts.get(account) else {
        let ServiceAccount { namespace, name } = account.clone();
        return Err(Refusal::NoGateway { namespace, name });
    };
    Ok(Pod {
        gateway: gateway.clone(),
        name: Arc::clone(pod),
        uid: Arc::clone(uid),
    })
}

#[cfg(test)]
mod tests;
