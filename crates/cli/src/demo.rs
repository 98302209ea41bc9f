//! `portcullis demo`: a gateway to try, with certificates, files and backends of its own.

mod certificates;
mod files;
mod guide;

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_dataplane::PortMap;
use portcullis_folder::Roots;
use portcullis_samples::{App, Helloworld, Server, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;

use self::files::{Backends, FilesError};
use self::guide::{Places, guide};
use crate::args::DemoArgs;
use crate::config::{AccessLog, Serve};
use crate::exit::Exit;
use crate::standalone::{Session, StartError};
use crate::status::tables::{Rows, Width, tables};
use crate::{now, print};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Why the demo cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// The folder of the demo.
enum Home {
    /// Removed at the end.
    Temporary(TempDir),
    /// The user's, and kept.
    Given(PathBuf),
}

impl Home {
    fn new(given: Option<PathBuf>) -> Result<Self, DemoError> {
        let Some(path) = given else {
            let made = tempfile::Builder::new()
                .prefix("portcullis-demo-")
                .tempdir();
            return made
                .map(Self::Temporary)
                .map_err(|source| DemoError::Folder {
                    path: env::temp_dir(),
                    source,
                });
        };
        let absolute = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
        absolute
            .map(Self::Given)
            .map_err(|source| DemoError::Folder { path, source })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }
}

/// Runs the demo until the process is told to end.
pub(crate) async fn run(args: DemoArgs) -> Result<Exit, DemoError> {
    let DemoArgs {
        dir,
        admin,
        any_ports,
        log: _,
    } = args;
    let home = Home::new(dir)?;
    let httpbin = start(App::Httpbin).await?;
    let hello = Helloworld {
        version: "v1".to_owned(),
        instance: "demo".to_owned(),
    };
    let helloworld = start(App::Helloworld(hello)).await?;
    let backends = Backends {
        httpbin: httpbin.local_addr().port(),
        helloworld: helloworld.local_addr().port(),
    };
    files::write(home.path(), backends)?;

    let choice = if any_ports {
        Choice::Any
    } else {
        Choice::Usual
    };
    let ports = [(80, 8080), (443, 8443), (9443, 9443)];
    let ports = ports.map(|(listener, usual)| (listener, choice.port(LOOPBACK, usual)));
    let admin = SocketAddr::new(admin.ip(), choice.port(admin.ip(), admin.port()));
    let roots = Roots {
        manifests: vec![home.path().join("conf")],
        credentials: Vec::new(),
    };
    let mut session = Session::open(roots, serve_config(ports.into(), admin)).await?;
    session.begin().await;

    let binary = env::current_exe().unwrap_or_else(|_| "portcullis".into());
    let [(_, http), (_, https), (_, mutual)] = ports;
    let admin = session.admin_address();
    let places = Places {
        folder: home.path(),
        binary: &binary,
        admin,
        http,
        https,
        mutual,
    };
    print::line(&tables(
        &session.objects(),
        Width::Narrow,
        Rows::All,
        now().0.as_second(),
    ));
    print::line(&format!("\n{}", told_ports(&ports, admin)));
    print::line(&format!("\n{}", guide(&places)));
    Ok(session.run().await)
}

async fn start(app: App) -> io::Result<Server> {
    serve(TcpListener::bind((LOOPBACK, 0)).await?, app)
}

fn serve_config(ports: BTreeMap<u16, u16>, admin: SocketAddr) -> Serve {
    Serve {
        bind: vec![LOOPBACK],
        ports: PortMap {
            ports,
            others: Some(0),
        },
        admin,
        workers: NonZeroUsize::MIN,
        drain_timeout: Duration::from_secs(5),
        status_file: None,
        access_log: AccessLog::Off,
    }
}

/// Which ports to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The usual ones, or others if they are busy.
    Usual,
    Any,
}

impl Choice {
    /// A port that is free now.
    fn port(self, address: IpAddr, usual: u16) -> u16 {
        let free = |port| {
            let listener = std::net::TcpListener::bind((address, port)).ok()?;
            listener.local_addr().ok().map(|address| address.port())
        };
        let wanted = match self {
            Self::Usual => usual,
            Self::Any => 0,
        };
        free(wanted).or_else(|| free(0)).unwrap_or(usual)
    }
}

fn told_ports(ports: &[(u16, u16)], admin: SocketAddr) -> String {
    let told = ports.iter().map(|(listener, real)| {
        format!("  port {listener:<5} of the Gateway is 127.0.0.1:{real}\n")
    });
    let told: String = told.collect();
    format!("{told}  admin pages are at http://{admin}\n")
}
