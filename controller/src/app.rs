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
use crate::serve::authority::{Keeper, Names};
use crate::serve::identity::{Accounts, ServiceAccount};
use crate::serve::metrics::ServeMetrics;
use crate::serve::service::{Partners, Streams};
use crate::serve::{Publisher, listen};
use crate::sessions::Sessions;
use crate::status::server::Cluster;
use crate::watch::References;
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
    tasks: JoinSet<&'static str>,
    candidate: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    streams: Arc<ServeMetrics>,
}

impl App {
    async fn start(config: Config, client: Client) -> Result<Self, AppError> {
        let Config {
            controller_name,
            namespace,
            pod_name,
            data_plane_image,
            serve: serve_at,
            admin: admin_at,
            namespaces,
        } = config;
        let admin_port = bind("--admin", admin_at).await?;
        let serve_port = bind("--serve", serve_at).await?;
        let leadership = Leadership::none();
        let (metrics, stream_metrics) = (Metrics::new(), Arc::<ServeMetrics>::default());
        let sessions = Sessions::default();
        let kinds: BTreeSet<String> = Kind::ALL.iter().map(ToString::to_string).collect();
        let (to_loop, object_news) = mpsc::channel(cluster::QUEUE);
        let shown = Arc::new(AdminState {
            controller: pod_name.clone(),
            metrics: Arc::clone(&metrics),
            streams: Arc::clone(&stream_metrics),
            leadership: leadership.clone(),
            sessions: sessions.clone(),
            awaited: Awaited::new(kinds),
            queue: to_loop.downgrade(),
        });
        let mut tasks = JoinSet::new();
        spawn(
            &mut tasks,
            "admin",
            admin::serve(admin_port, Arc::clone(&shown)),
        );

        // Each channel's sender goes to the one who has news, its receiver to the loop.
        let (objects, objects_seen) = mpsc::channel(cluster::QUEUE);
        let (reports, reports_seen) = mpsc::channel(serve::QUEUE);
        let (infra_events, infra_news) = mpsc::channel(infra::QUEUE);
        let (references, referenced) = watch::channel(Arc::<References>::default());
        let (wanted, infra_wanted) = watch::channel(None);
        let (statuses, status_orders) = mpsc::channel(status::QUEUE);
        let counted = taps::objects(objects_seen, to_loop, Arc::clone(&shown));
        spawn(&mut tasks, "objects", counted);
        let (report_news, forwarded) = taps::reports(reports_seen, sessions, Arc::clone(&metrics));
        spawn(&mut tasks, "reports", forwarded);

        let watching = cluster::run(client.clone(), namespaces.clone(), referenced, objects);
        spawn(&mut tasks, "watch", watching);
        let writing = status::writer::run(
            taps::CountedWrites::new(Cluster::new(client.clone()), Arc::clone(&metrics)),
            controller_name.clone(),
            leadership.clone(),
            status_orders,
        );
        spawn(&mut tasks, "status", writing);

        let names = Names::of_service(SERVICE, &namespace);
        let (keeper, authority) =
            Keeper::new(client.clone(), &namespace, names, leadership.clone());
        spawn(&mut tasks, "authority", keeper.run());
        let (bundle, mapped) = taps::mapped(authority.bundle(), |bundle| {
            bundle.as_ref().map(|bundle| Arc::clone(&bundle.0))
        });
        spawn(&mut tasks, "bundle", mapped);
        let (accounts, mapped) = taps::mapped(infra_wanted.clone(), accounts);
        spawn(&mut tasks, "accounts", mapped);

        let publisher = Publisher::default();
        let streams = Streams::new(Partners {
            review: Arc::new(client.clone()),
            accounts,
            publisher: publisher.clone(),
            leadership: leadership.clone(),
            reports,
            metrics: Arc::clone(&stream_metrics),
        });
        let tls = listen::tls(Arc::new(authority))?;
        spawn(&mut tasks, "serve", listen::serve(serve_port, tls, streams));

        let around = infra::Parts {
            client: client.clone(),
            namespaces,
            settings: Settings {
                image: data_plane_image,
                controller: format!("https://{SERVICE}.{namespace}.svc:{}", serve_at.port()),
            },
            leadership: leadership.clone(),
            wanted: infra_wanted,
            bundle,
            events: infra_events,
        };
        spawn(&mut tasks, "infra", infra::run(around));

        let news = reconcile::News {
            objects: object_news,
            reports: report_news,
            infra: infra_news,
            leadership: leadership.clone(),
        };
        let outlets = reconcile::Outlets {
            publisher,
            references,
            infra: wanted,
            statuses,
            metrics,
        };
        spawn(
            &mut tasks,
            "reconcile",
            reconcile::run(controller_name, news, outlets),
        );

        let (stop, stopped) = watch::channel(false);
        let leases: Api<Lease> = Api::namespaced(client, &namespace);
        let candidate = Candidate::new(leases, pod_name, leadership);
        Ok(Self {
            tasks,
            candidate: tokio::spawn(candidate.run(stopped)),
            stop,
            streams: stream_metrics,
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

/// The service accounts of the data planes of all Gateways of ours.
fn accounts(wanted: &Option<Arc<infra::Wanted>>) -> Arc<Accounts> {
    let gateways = wanted.iter().flat_map(|wanted| &wanted.gateways);
    let account = gateways.map(|(gateway, infra)| {
        let account = ServiceAccount {
            namespace: Arc::clone(&gateway.namespace),
            name: Arc::from(infra.name.as_str()),
        };
        (account, gateway.clone())
    });
    Arc::new(account.collect())
}
