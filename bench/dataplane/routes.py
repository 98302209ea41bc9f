"""What the proxies are to route: the same rules for all, each writes them in its own idiom."""

import dataclasses

DOMAIN = "bench.example"
# Hosts of the protocols that have a backend or a setting of their own, in every set of routes.
WEBSOCKET = f"ws.{DOMAIN}"
GRPC = f"grpc.{DOMAIN}"
H2C = f"h2c.{DOMAIN}"
PASSTHROUGH = f"passthrough.{DOMAIN}"
GRPC_SERVICE = "bench.Echo"
# The set `headers` sends requests with this header to the backend `canary`, others to `app`.
CANARY_HEADER = ("x-env", "canary")
# The set `filters` sets and removes these of a request and sets this of an answer; the prefix of
# the path becomes `REWRITTEN`.
SET_HEADER = ("x-set", "bench")
REMOVED_HEADER = "x-debug"
ANSWER_HEADER = ("x-served-by", "bench")
REWRITTEN = "/new/"


@dataclasses.dataclass(frozen=True)
class Routes:
    """`count` rules of one kind: `hosts` and `paths` are distinct in the one and share the other."""

    kind: str  # hosts, paths, headers, filters
    count: int

    def __str__(self):
        return f"{self.kind}-{self.count}"

    def by_host(self):
        """Pairs of a host and its path prefixes, each ending in a slash."""
        if self.kind == "hosts":
            for host in range(self.count):
                yield f"host-{host}.{DOMAIN}", ["/"]
            return
        per_host = self.count if self.kind == "paths" else 10
        for host in range(self.count // per_host):
            yield f"host-{host}.{DOMAIN}", [f"/service-{path}/" for path in range(per_host)]

    def rules(self):
        return [(host, prefix) for host, prefixes in self.by_host() for prefix in prefixes]

    def requested(self, at_most=100):
        """Rules that are asked for, spread evenly over all."""
        rules = self.rules()
        step = max(1, len(rules) // at_most)
        return rules[step // 2 :: step][:at_most]
