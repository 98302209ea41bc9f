"""Portcullis: a route object per rule, as a user would write it."""

import base64
import os
import pathlib

import routes
from peers import write_at_once

CONFIGURATION = "manifests/gateway.yaml"
UNABLE = {}
# It tells HTTP/1.1 from HTTP/2 by what a connection begins with.
SHARED_PORTS = {"h2c": "http"}

LISTENERS = {"http": 80, "https": 443, "tcp": 9000, "passthrough": 8443, "udp": 9001}


def command(setting):
    folder = setting.folder / "manifests"
    folder.mkdir()
    write_at_once(folder / "gateway.yaml", _gateway(setting) + _protocols(setting))
    write_at_once(folder / "routes.yaml", _http_routes(setting))
    mapped = [
        argument
        for kind, port in LISTENERS.items()
        for argument in ("--port-map", f"{port}={getattr(setting.ports, kind)}")
    ]
    return [
        binary(),
        "standalone", str(folder),
        "--bind", "127.0.0.1",
        *mapped,
        "--admin", "127.0.0.1:0",
        "--workers", str(setting.workers),
        "--access-log", "off",
    ]  # fmt: skip


def binary():
    built = pathlib.Path(__file__).resolve().parents[3] / "target/release/portcullis"
    return os.environ.get("PORTCULLIS", str(built))


def replace_routes(setting, _process):
    write_at_once(setting.folder / "manifests/routes.yaml", _http_routes(setting))


def _gateway(setting):
    encode = lambda path: base64.b64encode(path.read_bytes()).decode()
    return f"""apiVersion: gateway.networking.k8s.io/v1
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
  - {{name: http, port: {LISTENERS["http"]}, protocol: HTTP}}
  - name: https
    port: {LISTENERS["https"]}
    protocol: HTTPS
    tls: {{certificateRefs: [{{name: bench}}]}}
  - {{name: tcp, port: {LISTENERS["tcp"]}, protocol: TCP}}
  - name: passthrough
    port: {LISTENERS["passthrough"]}
    protocol: TLS
    tls: {{mode: Passthrough}}
  - {{name: udp, port: {LISTENERS["udp"]}, protocol: UDP}}
---
apiVersion: v1
kind: Secret
metadata: {{name: bench, namespace: default}}
type: kubernetes.io/tls
data:
  tls.crt: {encode(setting.certificate)}
  tls.key: {encode(setting.key)}
"""


def _protocols(setting):
    backend = setting.backend
    return (
        _service("app", backend.http)
        + _service("canary", backend.canary)
        + _service("app-http2", backend.http, application="kubernetes.io/h2c")
        + _service("app-https", backend.https)
        + _service("app-udp", backend.udp, "UDP")
        + _route("HTTPRoute", "websocket", "http", routes.WEBSOCKET, "app", _prefix_match("/"))
        + _route("HTTPRoute", "h2c", "http", routes.H2C, "app-http2", _prefix_match("/"))
        + _route("GRPCRoute", "grpc", "http", routes.GRPC, "app-http2",
                 f"matches: [{{method: {{service: {routes.GRPC_SERVICE}}}}}]")
        + _route("TLSRoute", "passthrough", "passthrough", routes.PASSTHROUGH, "app-https")
        + _route("TCPRoute", "tcp", "tcp", None, "app")
        + _route("UDPRoute", "udp", "udp", None, "app-udp")
    )  # fmt: skip


def _service(name, port, protocol="TCP", application=None):
    more = f", appProtocol: {application}" if application else ""
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec:
  ports: [{{name: main, port: 80, targetPort: {port}, protocol: {protocol}{more}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  namespace: default
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{name: main, port: {port}, protocol: {protocol}{more}}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}}}]
"""


def _route(kind, name, listener, host, backend, match=None):
    hostnames = f"\n  hostnames: [{host}]" if host else ""
    matches = f"\n    {match}" if match else ""
    return f"""---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: bench, sectionName: {listener}}}]{hostnames}
  rules:
  - backendRefs: [{{name: {backend}, port: 80}}]{matches}
"""


def _prefix_match(prefix):
    return f"matches: [{{path: {{type: PathPrefix, value: {prefix.rstrip('/') or '/'}}}}}]"


def _http_routes(setting):
    """On both listeners for HTTP, so each is in two tables."""
    return "---\n".join(
        f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {host.split(".")[0]}{prefix.rstrip("/").replace("/", "-")}, namespace: default}}
spec:
  parentRefs: [{{name: bench, sectionName: http}}, {{name: bench, sectionName: https}}]
  hostnames: [{host}]
  rules:
{_rules(setting.routes.kind, prefix)}"""
        for host, prefix in setting.routes.rules()
    )


def _rules(kind, prefix):
    rule = f"  - {_prefix_match(prefix)}\n    backendRefs: [{{name: app, port: 80}}]\n"
    if kind == "headers":
        name, value = routes.CANARY_HEADER
        path = prefix.rstrip("/")
        rule += f"""  - matches: [{{path: {{type: PathPrefix, value: {path}}}, headers: [{{name: {name}, value: {value}}}]}}]
    backendRefs: [{{name: canary, port: 80}}]
"""
    if kind == "filters":
        name, value = routes.SET_HEADER
        answer_name, answer_value = routes.ANSWER_HEADER
        rule += f"""    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {{set: [{{name: {name}, value: {value}}}], remove: [{routes.REMOVED_HEADER}]}}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{set: [{{name: {answer_name}, value: {answer_value}}}]}}
    - type: URLRewrite
      urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: {routes.REWRITTEN.rstrip("/")}}}}}
"""
    return rule
