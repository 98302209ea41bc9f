//! From one more route to its first answer, in one process and without a cluster, stage by stage:
//! `cargo run --release -p portcullis-cli --example one_more_route [ROUTES] [TIMES]`.
//!
//! The stages are those of controller and data plane: translation, the delta, its message, reading
//! it, applying it, the first request. What a cluster adds is the API server, two loops and TLS.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_api::{AnyObject, HttpRoute, Objects, manifest};
use portcullis_dataplane::{Config, DataPlane, PortMap};
use portcullis_ir::{ObjectKey, Snapshot, Version};
use portcullis_translate::{Inputs, ObservedGateway, Options, Translator};
use portcullis_wire::messages::StateUpdate;
use portcullis_wire::{Update, decode};
use prost::Message;

type Failure = Box<dyn Error>;

const STAGES: [&str; 7] = [
    "translate",
    "version",
    "delta",
    "encode",
    "decode",
    "apply",
    "answer",
];

fn base(backend: SocketAddr) -> String {
    let (ip, port) = (backend.ip(), backend.port());
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: portcullis}}
spec: {{controllerName: portcullis.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web, namespace: default, generation: 1}}
spec:
  gatewayClassName: portcullis
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
---
apiVersion: v1
kind: Service
metadata: {{name: service, namespace: default}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  {{name: slice, namespace: default, labels: {{kubernetes.io/service-name: service}}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [{ip}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: route, namespace: default, generation: 1}}
spec:
  parentRefs: [{{name: web}}]
  hostnames: [host.example.com]
  rules: [{{backendRefs: [{{name: service, port: 80}}]}}]
"
    )
}

/// The controller's half and the data plane's.
struct Pipeline {
    runtime: tokio::runtime::Runtime,
    original: HttpRoute,
    objects: Objects,
    translator: Translator,
    /// What the controller has sent.
    sent: Option<(Arc<Snapshot>, Version)>,
    /// What the data plane holds.
    held: Arc<Snapshot>,
    data_plane: DataPlane,
    listener: Option<SocketAddr>,
}

impl Pipeline {
    fn open() -> Result<Self, Failure> {
        let read = manifest::parse(&base(backend()?)).objects.into_iter();
        let mut objects: Objects = read.map(|located| located.object).collect();
        let key = portcullis_api::ObjectKey::new("default", "route");
        let route = objects.remove(portcullis_api::Kind::HttpRoute, &key);
        let Some(AnyObject::HttpRoute(original)) = route else {
            return Err("no route in the manifest".into());
        };
        let runtime = tokio::runtime::Runtime::new()?;
        let config = Config {
            bind: vec![Ipv4Addr::LOCALHOST.into()],
            ports: PortMap::any_free(),
            ..Config::default()
        };
        Ok(Self {
            data_plane: DataPlane::start(config)?,
            runtime,
            original: (*original).clone(),
            objects,
            translator: Translator::new(Options::new("portcullis.dev/gateway-controller")),
            sent: None,
            held: Arc::new(Snapshot::empty(ObjectKey::new("default", "web"), 0)),
            listener: None,
        })
    }

    fn add(&mut self, number: usize) {
        let mut route = self.original.clone();
        route.metadata.name = Some(format!("route-{number}"));
        Arc::make_mut(&mut route.spec).hostnames = vec![host(number)];
        self.objects.insert(route);
    }

    /// Brings what the objects say to where it is served; how long each stage took.
    fn carry(&mut self) -> Result<Vec<Duration>, Failure> {
        let mut clock = Clock::start();
        let observed = BTreeMap::<ObjectKey, ObservedGateway>::new();
        let output = self.translator.translate(&Inputs {
            objects: &self.objects,
            observed: &observed,
            now: 0,
        });
        let gateway = output.gateways.get(&ObjectKey::new("default", "web"));
        let new = Arc::clone(&gateway.ok_or("no Gateway")?.snapshot);
        clock.lap();
        let version = new.version();
        clock.lap();
        let sent = self.sent.as_ref().map(|(old, version)| (&**old, *version));
        let update = Update::of(sent, (&new, version));
        clock.lap();
        let parts: Vec<Vec<u8>> = update.parts().map(|part| part.encode_to_vec()).collect();
        clock.lap();
        let mut assembly = decode::Assembly::default();
        let mut received = None;
        for part in &parts {
            received = assembly.push(StateUpdate::decode(&**part)?)?;
        }
        let received = received.ok_or("an update without end")?;
        self.held = Arc::new(received.apply(&self.held));
        clock.lap();
        let apply = self
            .data_plane
            .apply_version(version, Arc::clone(&self.held));
        let applied = self.runtime.block_on(apply);
        clock.lap();
        self.sent = Some((new, version));
        let mut ports = applied.ports.values().flatten().flatten();
        self.listener = ports.next().copied();
        Ok(clock.laps)
    }

    /// Whether a new connection's first request is answered 200.
    fn asks(&self, number: usize) -> Result<bool, Failure> {
        let mut stream = TcpStream::connect(self.listener.ok_or("no port")?)?;
        let host = host(number);
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }
}

struct Clock {
    last: Instant,
    laps: Vec<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            laps: Vec::new(),
        }
    }

    fn lap(&mut self) {
        let now = Instant::now();
        self.laps.push(now - self.last);
        self.last = now;
    }
}

fn host(number: usize) -> String {
    format!("host-{number}.example.com")
}

/// Answers everything with 200.
fn backend() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().and_then(|text| text.parse().ok());
    let routes: usize = next().unwrap_or(5_000);
    let times: usize = next().unwrap_or(200);
    let mut pipeline = Pipeline::open()?;
    (0..routes).for_each(|number| pipeline.add(number));
    let first = pipeline.carry()?;
    tell(&format!("{routes} routes at once"), &[first]);
    let mut rounds = Vec::new();
    for number in routes..routes + times {
        pipeline.add(number);
        let mut laps = pipeline.carry()?;
        let start = Instant::now();
        if !pipeline.asks(number)? {
            return Err(format!("{} is not answered", host(number)).into());
        }
        laps.push(start.elapsed());
        rounds.push(laps);
    }
    tell(&format!("one more route, {times} times"), &rounds);
    Ok(())
}

/// The middle of each stage, and of the whole.
fn tell(what: &str, rounds: &[Vec<Duration>]) {
    println!("{what}");
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    for (stage, name) in STAGES.iter().enumerate() {
        let times = rounds.iter().filter_map(|laps| laps.get(stage).copied());
        let times: Vec<_> = times.collect();
        if !times.is_empty() {
            println!("  {name:<10} {:>10.1?}", middle(times));
        }
    }
    let whole = rounds.iter().map(|laps| laps.iter().sum()).collect();
    println!("  {:<10} {:>10.1?}", "all", middle(whole));
}
