//! Starts the tasks, joins them, and ends them in order.

mod taps;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use portcullis_api::Kind;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::admin::{self, AdminState, Awaited};
use crate::config::Config;
use crate::infra::render::Settings;
use crate::leader::{Candidate, Leadership};
use crate::metrics::Metrics;
use crate::serve::authority::{Authority, Keeper, Names};
use crate::serve::identity::Accounts;
use crate::serve::metrics::ServeMetrics;
use crate::serve::service::{Partners, Streams};
use crate::serve::{Publisher, listen};
use crate::sessions::Sessions;
use crate::status::server::Cluster;
use crate::watch::{References, Served};
use crate::{infra, reconcile, serve, status, watch as cluster};

/// The Service by which data planes find the controller. It has no address of its own: they try
/// every replica until one of them serves, which is the leader.
pub const SERVICE: &str = "portcullis-controller";

/// How long the streams may take to end when the process is told to.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the controller cannot start, or has to end. Starting it anew may help.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A port cannot be had.
    #[error("{option} {address}: {source}")]
    Bind {
        /// The option that named it.
        option: &'static str,
        /// What it named.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The crypto provider lacks what the streams need.
    #[error("TLS for data planes: {0}")]
    Tls(#[from] rustls::Error),
    /// A task ended though nobody told it to.
    #[error("task {0} ended")]
    Ended(&'static str),
    /// A task panicked; it has said so.
    #[error("a task failed: {0}")]
    Failed(#[from] tokio::task::JoinError),
}

/// Runs the controller until `stop`, or until something fails that must not.
pub async fn run(
    config: Config,
    client: Client,
    stop: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let app = App::start(config, client).await?;
    app.run(stop).await
}

/// A running controller.
struct App {
    tasks: Tasks,
    candidate: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    streams: Arc<ServeMetrics>,
}

/// Tasks that run as long as the process does, each with its name.
type Tasks = JoinSet<&'static str>;

/// What many tasks share.
struct Base {
    client: Client,
    config: Config,
    leadership: Leadership,
    metrics: Arc<Metrics>,
    streams: Arc<ServeMetrics>,
    sessions: Sessions,
    served: Served,
}

impl App {
    async fn start(config: Config, client: Client) -> Result<Self, AppError> {
        let admin_port = bind("--admin", config.admin).await?;
        let serve_port = bind("--serve", config.serve).await?;
        let base = Base {
            client,
            config,
            leadership: Leadership::none(),
            metrics: Metrics::new(),
            streams: Arc::default(),
            sessions: Sessions::default(),
            served: Served::default(),
        };
        let mut tasks = Tasks::new();
        let publisher = Publisher::default();
        let (references, referenced) = watch::channel(Arc::default());
        let (wanted, infra_wanted) = watch::channel(None);
        let (accounts, proven) = watch::channel(Arc::default());
        let (authority, bundle) = base.start_authority(&mut tasks);
        let news = reconcile::News {
            objects: base.start_watch(&mut tasks, admin_port, referenced),
            reports: base.start_serve(
                &mut tasks,
                Port {
                    listener: serve_port,
                    tls: listen::tls(Arc::new(authority))?,
                    publisher: publisher.clone(),
                },
                proven,
            ),
            infra: base.start_infra(&mut tasks, infra_wanted, bundle, accounts),
            leadership: base.leadership.clone(),
        };
        let outlets = reconcile::Outlets {
            publisher,
            references,
            infra: wanted,
            statuses: base.start_status(&mut tasks),
            metrics: Arc::clone(&base.metrics),
        };
        let Base {
            client,
            config,
            leadership,
            streams,
            metrics: _,
            sessions: _,
            served: _,
        } = base;
        let reconciling = reconcile::run(config.controller_name, news, outlets);
        spawn(&mut tasks, "reconcile", reconciling);

        let (stop, stopped) = watch::channel(false);
        let leases: Api<Lease> = Api::namespaced(client, &config.namespace);
        let candidate = Candidate::new(leases, config.pod_name, leadership);
        Ok(Self {
            tasks,
            candidate: tokio::spawn(candidate.run(stopped)),
            stop,
            streams,
        })
    }

    async fn run(self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let Self {
            mut tasks,
            mut candidate,
            stop: tell,
            streams,
        } = self;
        tokio::select! {
            () = stop => {}
            Some(ended) = tasks.join_next() => return Err(AppError::Ended(ended?)),
            ended = &mut candidate => {
                ended?;
                return Err(AppError::Ended("leader"));
            }
        }
        tracing::info!("ending");
        // Leadership goes first: with it the writes stop and the streams end, and the next leader
        // need not wait.
        tell.send_replace(true);
        candidate.await?;
        let ended = async {
            while streams.active.value() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, ended).await;
        Ok(())
    }
}

/// Where data planes connect, and what they get there.
struct Port {
    listener: TcpListener,
    tls: rustls::ServerConfig,
    publisher: Publisher,
}

impl Base {
    /// The admin port is part of this: it says which kinds are awaited, and how many news wait.
    fn start_watch(
        &self,
        tasks: &mut Tasks,
        admin_port: TcpListener,
        references: watch::Receiver<Arc<References>>,
    ) -> mpsc::Receiver<cluster::Event> {
        let (objects, seen) = mpsc::channel(cluster::QUEUE);
        let (to_loop, news) = mpsc::channel(cluster::QUEUE);
        let kinds: BTreeSet<String> = Kind::ALL.iter().map(ToString::to_string).collect();
        let shown = Arc::new(AdminState {
            controller: self.config.pod_name.clone(),
            metrics: Arc::clone(&self.metrics),
            streams: Arc::clone(&self.streams),
            leadership: self.leadership.clone(),
            sessions: self.sessions.clone(),
            awaited: Awaited::new(kinds),
            queue: to_loop.downgrade(),
        });
        let admin = admin::serve(admin_port, Arc::clone(&shown));
        spawn(tasks, "admin", admin);
        spawn(tasks, "objects", taps::objects(seen, to_loop, shown));
        let namespaces = self.config.namespaces.clone();
        let (client, served) = (self.client.clone(), self.served.clone());
        let watching = cluster::run(client, namespaces, references, served, objects);
        spawn(tasks, "watch", watching);
        news
    }

    fn start_status(&self, tasks: &mut Tasks) -> status::OrderSender {
        let (statuses, orders) = mpsc::channel(status::QUEUE);
        let server = Cluster::new(self.client.clone(), self.served.clone());
        let writing = status::writer::run(
            taps::CountedWrites::new(server, Arc::clone(&self.metrics)),
            self.config.controller_name.clone(),
            self.leadership.clone(),
            orders,
        );
        spawn(tasks, "status", writing);
        statuses
    }

    fn start_authority(&self, tasks: &mut Tasks) -> (Authority, watch::Receiver<Option<Arc<str>>>) {
        let namespace = &self.config.namespace;
        let names = Names::of_service(SERVICE, namespace);
        let (client, leadership) = (self.client.clone(), self.leadership.clone());
        let (keeper, authority) = Keeper::new(client, namespace, names, leadership);
        spawn(tasks, "authority", keeper.run());
        let (bundle, mapped) = taps::mapped(authority.bundle(), |bundle| {
            bundle.as_ref().map(|bundle| Arc::clone(&bundle.0))
        });
        spawn(tasks, "bundle", mapped);
        (authority, bundle)
    }

    fn start_serve(
        &self,
        tasks: &mut Tasks,
        port: Port,
        accounts: watch::Receiver<Arc<Accounts>>,
    ) -> mpsc::Receiver<serve::Report> {
        let Port {
            listener,
            tls,
            publisher,
        } = port;
        let (reports, heard) = mpsc::channel(serve::QUEUE);
        let streams = Streams::new(Partners {
            review: Arc::new(self.client.clone()),
            accounts,
            publisher,
            leadership: self.leadership.clone(),
            reports,
            metrics: Arc::clone(&self.streams),
        });
        spawn(tasks, "serve", listen::serve(listener, tls, streams));
        let (sessions, metrics) = (self.sessions.clone(), Arc::clone(&self.metrics));
        let (news, forwarded) = taps::reports(heard, sessions, metrics);
        spawn(tasks, "reports", forwarded);
        news
    }

    fn start_infra(
        &self,
        tasks: &mut Tasks,
        wanted: watch::Receiver<Option<Arc<infra::Wanted>>>,
        bundle: watch::Receiver<Option<Arc<str>>>,
        accounts: watch::Sender<Arc<Accounts>>,
    ) -> mpsc::Receiver<infra::Event> {
        let (events, news) = mpsc::channel(infra::QUEUE);
        let Config {
            namespace,
            data_plane_image,
            serve,
            ..
        } = &self.config;
        let around = infra::Parts {
            client: self.client.clone(),
            namespaces: self.config.namespaces.clone(),
            settings: Settings {
                image: data_plane_image.clone(),
                controller: format!("https://{SERVICE}.{namespace}.svc:{}", serve.port()),
            },
            leadership: self.leadership.clone(),
            wanted,
            bundle,
            events,
            accounts,
        };
        spawn(tasks, "infra", infra::run(around));
        news
    }
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<TcpListener, AppError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| AppError::Bind {
        option,
        address,
        source,
    })
}

fn spawn(
    tasks: &mut JoinSet<&'static str>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        task.await;
        name
    });
}
