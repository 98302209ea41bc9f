//! The smallest proxy that pingora-proxy makes: every request goes to one backend, with the two
//! forwarding headers that all proxies of the benchmark set. It has no routes.
//!
//! usage: bare-pingora HTTP HTTPS H2C BACKEND CERTIFICATE KEY WORKERS   (addresses as IP:PORT)

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::apps::HttpServerOptions;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::protocols::ALPN;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, ProxyServiceBuilder, Session};

struct Bare {
    backend: String,
    scheme: &'static str,
    /// HTTP/2 in clear text to the backend.
    h2c: bool,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        let mut peer = HttpPeer::new(&self.backend, false, String::new());
        if self.h2c {
            peer.options.alpn = ALPN::H2;
            peer.options.max_h2_streams = 100;
        }
        Ok(Box::new(peer))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _: &mut (),
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet());
        if let Some(client) = client {
            request.insert_header("X-Forwarded-For", client.ip().to_string())?;
        }
        request.insert_header("X-Forwarded-Proto", self.scheme)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, https, h2c, backend, certificate, key, workers] = arguments.as_slice() else {
        panic!("usage: bare-pingora HTTP HTTPS H2C BACKEND CERTIFICATE KEY WORKERS");
    };
    let conf = ServerConf {
        threads: workers.parse().expect("WORKERS is a number"),
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let bare = |scheme, h2c| Bare { backend: backend.clone(), scheme, h2c };
    let conf = Arc::clone(&server.configuration);

    let mut plain = pingora_proxy::http_proxy_service(&conf, bare("http", false));
    plain.add_tcp(http);

    let mut settings = TlsSettings::intermediate(certificate, key).expect("a certificate and its key");
    settings.enable_h2();
    let mut tls = pingora_proxy::http_proxy_service(&conf, bare("https", false));
    tls.add_tls_with_settings(https, None, settings);

    let mut options = HttpServerOptions::default();
    options.h2c = true;
    let mut prior_knowledge = ProxyServiceBuilder::new(&conf, bare("http", true))
        .server_options(options)
        .build();
    prior_knowledge.add_tcp(h2c);

    server.add_service(plain);
    server.add_service(tls);
    server.add_service(prior_knowledge);
    server.run_forever();
}
