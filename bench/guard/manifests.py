"""What the counted processes serve: one route, or 5,000 and a route of each kind."""

import base64
import dataclasses
import pathlib

HOST = "host-1250.bench.example"
ONE_HOST = "many-paths.bench.example"
GRPC_HOST = "grpc.bench.example"
FILTERED_HOST = "filtered.bench.example"
LISTENED = {"http": 80, "https": 443, "tcp": 9000, "udp": 9001}


@dataclasses.dataclass(frozen=True)
class Backends:
    """The ports of what is behind the gateway."""

    http: int
    h2c: int
    tcp: int
    udp: int


def write(folder: pathlib.Path, routes: int, backends: Backends, certificate, key):
    """Writes manifests: `routes` HTTPRoutes, half of them on hosts of their own and half on one host,
    besides one each for gRPC, TCP, UDP, and one with matches and filters, if there is more than one.
    """
    folder.mkdir(parents=True)
    every_kind = routes > 1
    documents = [_gateway(every_kind), _secret(certificate, key), *_service("app", "TCP", backends.http)]
    if every_kind:
        documents += [_filtered(), _grpc(), _stream("TCPRoute", "tcp"), _stream("UDPRoute", "udp")]
        documents += _service("calls", "TCP", backends.h2c, "kubernetes.io/h2c")
        documents += _service("tcp", "TCP", backends.tcp)
        documents += _service("udp", "UDP", backends.udp)
    (folder / "base.yaml").write_text("---\n".join(documents))
    (folder / "routes.yaml").write_text("---\n".join(_many(routes)))


def _many(routes):
    """The host asked for is in the middle of the others."""
    if routes == 1:
        return [_route("own-1250", HOST, "/service-1250")]
    half = routes // 2
    own = [_route(f"own-{n}", f"host-{n}.bench.example", f"/service-{n}") for n in range(half)]
    return own + [_route(f"path-{n}", ONE_HOST, f"/service-{n}") for n in range(half)]


def _gateway(every_kind):
    streams = """
  - {name: tcp, port: 9000, protocol: TCP}
  - {name: udp, port: 9001, protocol: UDP}
"""
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
  - {{name: http, port: 80, protocol: HTTP}}
  - name: https
    port: 443
    protocol: HTTPS
    tls: {{certificateRefs: [{{name: bench}}]}}
{streams if every_kind else ""}"""


def _secret(certificate, key):
    encode = lambda path: base64.b64encode(path.read_bytes()).decode()
    return f"""apiVersion: v1
kind: Secret
metadata: {{name: bench, namespace: default}}
type: kubernetes.io/tls
data:
  tls.crt: {encode(certificate)}
  tls.key: {encode(key)}
"""


def _service(name, protocol, port, app_protocol=None):
    application = f", appProtocol: {app_protocol}" if app_protocol else ""
    return [
        f"""apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec:
  ports: [{{name: main, port: 80, protocol: {protocol}, targetPort: {port}{application}}}]
""",
        f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: main, port: {port}, protocol: {protocol}{application}}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}}}]
""",
    ]


def _route(name, host, path):
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: bench}}]
  hostnames: [{host}]
  rules:
  - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]
    backendRefs: [{{name: app, port: 80}}]
"""


def _filtered():
    """Ten rules told apart by headers, the last of them is asked for; four filters."""
    rules = "".join(
        f"""
  - matches:
    - path: {{type: PathPrefix, value: /filtered}}
      method: GET
      headers:
      - {{name: x-version, value: v{n}}}
      - {{name: x-user, type: RegularExpression, value: 'user-[0-9]+'}}
      queryParams: [{{name: page, value: "1"}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{{name: x-set, value: set-by-gateway}}]
        add: [{{name: x-added, value: added-by-gateway}}]
        remove: [x-remove]
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        add: [{{name: x-answer, value: added-by-gateway}}]
        remove: [server]
    - type: URLRewrite
      urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /rewritten}}}}
    backendRefs: [{{name: app, port: 80}}]"""
        for n in range(10)
    )
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: filtered, namespace: default}}
spec:
  parentRefs: [{{name: bench}}]
  hostnames: [{FILTERED_HOST}]
  rules:{rules}
"""


def _grpc():
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: calls, namespace: default}}
spec:
  parentRefs: [{{name: bench}}]
  hostnames: [{GRPC_HOST}]
  rules:
  - matches: [{{method: {{service: bench.Echo, method: Call}}}}]
    backendRefs: [{{name: calls, port: 80}}]
"""


def _stream(kind, name):
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: bench, sectionName: {name}}}]
  rules:
  - backendRefs: [{{name: {name}, port: 80}}]
"""
