//! Who may ask when the port is for this machine only.

/// Whether a request with this Host may be answered on a loopback port.
///
/// A web page may point a name of its own at 127.0.0.1 and let its visitor's browser read what is
/// served there (DNS rebinding). Such a request carries that name; people and scrapers on this
/// machine use `localhost` or an address.
pub(super) fn is_local(host: Option<&str>) -> bool {
    let Some(host) = host else {
        return true; // HTTP/1.0: no browser leaves it out
    };
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn names_other_than_localhost_are_refused() {
        for host in [
            "localhost",
            "LOCALHOST:15000",
            "127.0.0.1",
            "127.0.0.1:15000",
            "[::1]:15000",
            "[::1]",
        ] {
            assert!(is_local(Some(host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:15000",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example",
            "[evil]",
        ] {
            assert!(!is_local(Some(host)), "{host}");
        }
        assert!(is_local(None));
    }
}
