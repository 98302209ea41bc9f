//! The endpoint for one attempt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_ir::BackendProtocol;

use crate::limits;
use crate::upstream::tls::TlsClient;

/// The endpoint for one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    /// What to speak.
    pub(crate) protocol: BackendProtocol,
    /// What to speak it in; `None` is clear text.
    pub(crate) tls: Option<Arc<TlsClient>>,
    /// What the attempt is for.
    pub(crate) errand: Errand,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// The request alone.
    Request,
    /// To find out as well whether the endpoint can be reached again.
    Trial,
}

/// The endpoints that are left to turn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// There are such as nothing speaks against.
    Sound,
    /// All of them could not be reached lately.
    Unsound,
    None,
}

impl Pick {
    /// How long a connection may take to come about, with these to turn to if it does not.
    pub(crate) fn patience(&self, others: Others) -> Duration {
        match (others, self.errand) {
            (Others::Sound, Errand::Request) => limits::CONNECT_PATIENCE,
            // It may be that all of them are far away.
            (Others::Unsound, _) | (Others::Sound, Errand::Trial) => limits::CONNECT_PATIENCE_MOST,
            (Others::None, _) => limits::CONNECT_TIMEOUT,
        }
    }
}
