//! [`LoadedConfig`] as tables for a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;
use portcullis_ir::listener::Transport;
use portcullis_ir::tls::CertificateInfo;

use super::loaded::{
    LoadedBackend, LoadedBackendTls, LoadedCertificate, LoadedConfig, LoadedListener, LoadedPort,
    LoadedRoute, LoadedRule, LoadedTarget, LoadedTrust,
};

/// Shows what is loaded to a person. `now` (seconds since the Unix epoch) decides how many days
/// certificates have left.
pub fn render(configs: &[LoadedConfig], now: i64) -> String {
    if configs.is_empty() {
        return "No Gateway is loaded.\n".to_owned();
    }
    let parts: Vec<String> = configs.iter().map(|config| gateway(config, now)).collect();
    parts.join("\n")
}

fn gateway(config: &LoadedConfig, now: i64) -> String {
    let LoadedConfig {
        gateway,
        generation,
        version,
        ports,
        listeners,
        routes,
        backends,
    } = config;
    let mut out = format!("Gateway {gateway}  (generation {generation}, version {version})\n");
    let mut table = Table::new(["PORT", "BOUND TO"]);
    for port in ports {
        table.row([port_name(port), bound(port)]);
    }
    table.write(&mut out);
    listener_tables(listeners, now, &mut out);
    route_table(routes, &mut out);
    let mut table = Table::new(["BACKEND", "PROTOCOL", "ENDPOINTS"]);
    for backend in backends {
        table.row([
            backend.id.to_string(),
            protocol(backend),
            list(&backend.endpoints, "none"),
        ]);
    }
    table.write(&mut out);
    out
}

/// `Http1, TLS as a.example (CA ConfigMap/default/ca; shown Secret/default/client)`
fn protocol(backend: &LoadedBackend) -> String {
    let clear = format!("{:?}", backend.protocol);
    let Some(tls) = &backend.tls else {
        return clear;
    };
    let LoadedBackendTls {
        hostname: _,
        names,
        trust,
        client_certificate,
    } = tls;
    let shown = client_certificate.as_ref();
    let shown = shown.map_or(String::new(), |id| format!("; shown {id}"));
    format!(
        "{clear}, TLS as {} (CA {}{shown})",
        names.join(" or "),
        trust.join(", ")
    )
}

fn listener_tables(listeners: &[LoadedListener], now: i64, out: &mut String) {
    let mut table = Table::new(["LISTENER", "PORT", "PROTOCOL", "HOSTNAME", "CLIENTS"]);
    let mut certificates = Table::new(["CERTIFICATE", "LISTENER", "SUBJECT", "NAMES", "EXPIRES"]);
    let mut authorities = Table::new(["CLIENT CA", "LISTENER", "SUBJECT", "EXPIRES"]);
    for listener in listeners {
        let validation = listener.client_validation.as_ref();
        table.row([
            listener.id.to_string(),
            listener.port.to_string(),
            listener.protocol.to_owned(),
            listener.hostname.clone(),
            validation.map_or("-".to_owned(), |validation| {
                format!("{:?}", validation.mode)
            }),
        ]);
        for certificate in &listener.certificates {
            certificates.row(certificate_row(certificate, listener, now));
        }
        for trust in validation.iter().flat_map(|validation| &validation.trust) {
            authority_rows(trust, listener, now, &mut authorities);
        }
    }
    table.write(out);
    certificates.write(out);
    authorities.write(out);
}

fn certificate_row(
    certificate: &LoadedCertificate,
    listener: &LoadedListener,
    now: i64,
) -> [String; 5] {
    let LoadedCertificate {
        id,
        served,
        problem,
    } = certificate;
    let (subject, names, expires) = match served {
        Some(leaf) => (
            leaf.subject.clone(),
            list(&leaf.subject_alt_names, "none"),
            expiry(leaf, now),
        ),
        None => ("not served".to_owned(), "-".to_owned(), "-".to_owned()),
    };
    [
        id.to_string(),
        listener.id.to_string(),
        subject,
        names,
        with_problem(expires, problem.as_deref()),
    ]
}

fn authority_rows(trust: &LoadedTrust, listener: &LoadedListener, now: i64, table: &mut Table<4>) {
    let LoadedTrust {
        id,
        authorities,
        problem,
    } = trust;
    let mut row = |subject: String, expires: String| {
        let expires = with_problem(expires, problem.as_deref());
        table.row([id.to_string(), listener.id.to_string(), subject, expires]);
    };
    for authority in authorities {
        row(authority.subject.clone(), expiry(authority, now));
    }
    if authorities.is_empty() {
        row("none".to_owned(), "-".to_owned());
    }
}

fn route_table(routes: &[LoadedRoute], out: &mut String) {
    let mut table = Table::new(["ROUTE", "LISTENER", "HOSTS", "RULE", "MATCHES", "GOES TO"]);
    for route in routes {
        for attachment in &route.attachments {
            for (index, rule) in route.rules.iter().enumerate() {
                table.row([
                    route.id.to_string(),
                    attachment.listener.to_string(),
                    list(&attachment.hosts, "*"),
                    rule.name.clone().unwrap_or_else(|| index.to_string()),
                    rule.matches.join(" | "),
                    destination(rule),
                ]);
            }
        }
    }
    table.write(out);
}

fn destination(rule: &LoadedRule) -> String {
    let backends = rule.backends.iter().map(|target| {
        let LoadedTarget {
            backend,
            weight,
            filters,
            problem,
        } = target;
        let name = match (backend, problem) {
            (Some(id), _) => id.to_string(),
            (None, Some(problem)) => format!("invalid ({problem})"),
            (None, None) => "invalid".to_owned(),
        };
        let share = match rule.backends.len() {
            1 => String::new(),
            _ => format!(" weight {weight}"),
        };
        match filters.as_slice() {
            [] => name + &share,
            filters => format!("{name}{share} [{}]", filters.join("; ")),
        }
    });
    let filters = rule.filters.iter().map(|filter| format!("[{filter}]"));
    let parts: Vec<String> = filters.chain(backends).collect();
    list(&parts, "nowhere")
}

fn port_name(port: &LoadedPort) -> String {
    match port.transport {
        Transport::Tcp => format!("{}/TCP", port.port),
        Transport::Udp => format!("{}/UDP", port.port),
    }
}

fn bound(port: &LoadedPort) -> String {
    let addresses: Vec<String> = port.addresses.iter().map(ToString::to_string).collect();
    match &port.failure {
        Some(failure) => format!("not bound: {failure}"),
        None => list(&addresses, "nothing"),
    }
}

/// `2026-12-01 (10 days left)`
fn expiry(certificate: &CertificateInfo, now: i64) -> String {
    const DAY: i64 = 24 * 60 * 60;
    let left = certificate.not_after - now;
    let date = Timestamp::from_second(certificate.not_after)
        .map_or("?".to_owned(), |time| format!("{time:.0}"));
    let date = date.split('T').next().unwrap_or_default();
    match left / DAY {
        _ if left < 0 => format!("{date} (EXPIRED {} days ago)", -left / DAY),
        1 => format!("{date} (1 day left)"),
        days => format!("{date} ({days} days left)"),
    }
}

fn with_problem(text: String, problem: Option<&str>) -> String {
    match problem {
        Some(problem) => format!("{text}  PROBLEM: {problem}"),
        None => text,
    }
}

fn list(items: &[String], none: &str) -> String {
    match items {
        [] => none.to_owned(),
        items => items.join(", "),
    }
}

/// Columns padded to their widest cell.
struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    fn new(head: [&str; N]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
        }
    }

    /// Control characters in what users wrote must not reach the terminal.
    fn row(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.map(|cell| cell.replace(char::is_control, "\u{fffd}")));
    }

    /// Writes the table after an empty line, or nothing if it has no rows.
    fn write(self, out: &mut String) {
        if self.rows.len() < 2 {
            return;
        }
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        out.push('\n');
        for row in &self.rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                // Writing to a String does not fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}
