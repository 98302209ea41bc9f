//! `portcullis standalone`: folders in, traffic served.

pub(crate) mod control;
mod fleet;
mod follow;
mod shown;
mod teller;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_api::Objects;
use portcullis_dataplane::access_log::{self, AccessLog};
use portcullis_dataplane::admin::{AdminServer, AdminState, Hold};
use portcullis_dataplane::metrics::Metrics;
use portcullis_dataplane::{Config, DrainConfig};
use portcullis_folder::{Contents, Roots};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use self::control::{Control, Network, Step};
use self::fleet::Fleet;
use self::follow::Waker;
use self::shown::Shown;
use self::teller::{Teller, tell_changes};
use crate::config::{self, Serve};
use crate::exit::Exit;
use crate::signals::Ending;
use crate::status::tables::{Rows, Width, tables};
use crate::{now, print};

/// Ports that could not be bound are tried again this often.
const RETRY: Duration = Duration::from_secs(1);

/// Why standalone mode cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("--admin {address}: {source}; choose another with --admin, or port 0 for any free one")]
    Admin {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("--access-log {}: {source}", path.display())]
    AccessLog { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// A gateway that serves folders.
pub(crate) struct Session {
    control: Control,
    fleet: Fleet,
    admin: Arc<AdminState>,
    server: AdminServer,
    contents: mpsc::Receiver<Contents>,
    waker: Waker,
    teller: Teller,
    shown: watch::Sender<Arc<Shown>>,
    /// Until the first contents are served.
    starting: Option<Hold>,
    signals: Signals,
    access_log: AccessLog,
}

struct Signals {
    ending: Ending,
    hang_up: Signal,
}

/// What a signal asks for.
enum Told {
    LookAgain,
    /// With the exit code of who does not wait.
    End(Exit),
}

/// Runs `portcullis standalone`.
pub(crate) async fn run(config: config::Standalone) -> Result<Exit, StartError> {
    let config::Standalone { roots, serve } = config;
    // An access log on standard output is all there is on it.
    let print = match serve.access_log {
        config::AccessLog::Stdout => print::aside,
        config::AccessLog::Off | config::AccessLog::File(_) => print::line,
    };
    let mut session = Session::open(roots, serve).await?;
    print(&format!("admin: http://{}", session.admin_address()));
    session.begin().await;
    let (objects, now) = (session.objects(), now().0.as_second());
    // Not waited for: who does not read must not keep the gateway from serving.
    tokio::task::spawn_blocking(move || print(&tables(&objects, Width::Wide, Rows::SOME, now)));
    Ok(session.run().await)
}

impl Session {
    /// Binds the admin port and begins to read the folders. Nothing is served yet.
    pub(crate) async fn open(roots: Roots, serve: Serve) -> Result<Self, StartError> {
        let Serve {
            bind,
            ports,
            admin: address,
            workers,
            drain_timeout,
            status_file,
            access_log,
        } = serve;
        let signals = Signals::new()?;
        let metrics = Metrics::new();
        let admin = AdminState::new(Arc::clone(&metrics));
        let starting = admin.hold("the folders are not read yet");
        let server = AdminServer::start(address, Arc::clone(&admin)).await;
        let server = server.map_err(|source| StartError::Admin { address, source })?;
        let access_log = open_access_log(access_log, &metrics)?;
        let drain = DrainConfig {
            min: Duration::ZERO,
            max: drain_timeout,
        };
        let template = Config {
            bind: bind.clone(),
            ports,
            workers,
            drain,
            access_log: access_log.clone(),
            metrics,
            ..Config::default()
        };
        let (sender, contents) = mpsc::channel(1);
        let waker = follow::follow(roots, sender)?;
        let (shown, receiver) = watch::channel(Arc::default());
        if let Some(path) = status_file {
            tokio::spawn(shown::keep_file(path, receiver.clone()));
        }
        admin.publish_status(move || receiver.borrow().list());
        Ok(Self {
            control: Control::new(Network {
                bind,
                own: own_addresses(),
            }),
            fleet: Fleet::new(template, Arc::clone(&admin)),
            admin,
            server,
            contents,
            waker,
            teller: Teller::default(),
            shown,
            starting: Some(starting),
            signals,
            access_log,
        })
    }

    /// Where the admin pages are.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Every object with its status.
    pub(crate) fn objects(&self) -> Arc<Objects> {
        Arc::clone(&self.shown.borrow().objects)
    }

    /// Serves what the folders hold at first.
    pub(crate) async fn begin(&mut self) {
        if let Some(contents) = self.contents.recv().await {
            let step = self.control.replace(contents, &now());
            self.take(step).await;
        }
        self.teller.begin(self.objects());
        self.starting = None;
    }

    /// Serves until the process is told to end.
    pub(crate) async fn run(mut self) -> Exit {
        loop {
            let step = tokio::select! {
                contents = self.contents.recv() => match contents {
                    Some(contents) => self.control.replace(contents, &now()),
                    None => break, // the thread panicked, and has said so
                },
                () = until(self.control.recheck_at()) => self.control.tick(&now()),
                () = tokio::time::sleep(RETRY), if self.fleet.is_incomplete() => {
                    self.retry().await;
                    continue;
                }
                told = self.signals.next() => match told {
                    Told::LookAgain => {
                        tracing::info!("SIGHUP: looking at everything again");
                        self.waker.wake();
                        continue;
                    }
                    Told::End(exit) => return self.end(exit).await,
                },
            };
            self.take(step).await;
        }
        Exit::Unusable
    }

    /// Carries a step out, and those that follow from it.
    async fn take(&mut self, step: Step) {
        let mut steps = VecDeque::from([step]);
        while let Some(Step {
            orders,
            news,
            listing,
            findings,
        }) = steps.pop_front()
        {
            self.teller.findings(findings.as_ref());
            tell_changes(&news);
            if listing.is_some() || findings.is_some() {
                self.shown
                    .send_modify(|shown| *shown = Arc::new(shown.updated(listing, findings)));
            }
            for order in orders {
                if let Some((gateway, applied)) = self.fleet.carry_out(order).await {
                    steps.push_back(self.control.note(&gateway, &applied, &now()));
                }
            }
        }
        self.teller.objects(&self.objects());
    }

    async fn retry(&mut self) {
        for (gateway, applied) in self.fleet.retry().await {
            let step = self.control.note(&gateway, &applied, &now());
            self.take(step).await;
        }
    }

    async fn end(mut self, signal: Exit) -> Exit {
        tracing::info!(
            ?signal,
            "ending when requests in flight are done; once more to end at once"
        );
        let _draining = self.admin.hold("shutting down");
        let exit = tokio::select! {
            cut_off = self.fleet.drain() => match cut_off {
                0 => Exit::Done,
                _ => Exit::Failed,
            },
            again = self.signals.ending.next() => again,
        };
        self.access_log.flush();
        exit
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            ending: Ending::new()?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hang_up.recv() => Told::LookAgain,
            exit = self.ending.next() => Told::End(exit),
        }
    }
}

/// Opens an access log as it was asked for.
pub(crate) fn open_access_log(
    target: config::AccessLog,
    metrics: &Arc<Metrics>,
) -> Result<AccessLog, StartError> {
    let (target, path) = match target {
        config::AccessLog::Off => (access_log::Target::Off, PathBuf::new()),
        config::AccessLog::Stdout => (access_log::Target::Stdout, "stdout".into()),
        config::AccessLog::File(path) => (access_log::Target::File(path.clone()), path),
    };
    AccessLog::start(&target, metrics).map_err(|source| StartError::AccessLog { path, source })
}

async fn until(seconds: Option<i64>) {
    match seconds {
        Some(at) => {
            let left = at.saturating_sub(now().0.as_second()).max(0);
            tokio::time::sleep(Duration::from_secs(left.unsigned_abs())).await;
        }
        None => std::future::pending().await,
    }
}

/// The addresses from which this machine would speak to others, then those for itself.
fn own_addresses() -> Vec<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): connecting a UDP socket sends nothing.
    let towards = |local: &str, remote: &str| {
        let socket = UdpSocket::bind((local, 0)).ok()?;
        socket.connect((remote, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let outward = [
        towards("0.0.0.0", "192.0.2.1"),
        towards("::", "2001:db8::1"),
    ];
    let own: Vec<IpAddr> = outward.into_iter().flatten().collect();
    if own.is_empty() {
        vec![IpAddr::from([127, 0, 0, 1])]
    } else {
        own
    }
}
