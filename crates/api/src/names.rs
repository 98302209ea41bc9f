//! What names may look like.

/// RFC 1123 subdomain: labels of lower-case letters, digits and `-`, joined by dots, 253 at most.
pub(crate) fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label_text)
}

/// RFC 1123 label: lower-case letters, digits and `-`, 63 at most.
pub(crate) fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && is_label_text(name)
}

fn is_label_text(label: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    label.bytes().all(|b| plain(b) || b == b'-')
        && label.bytes().next().is_some_and(plain)
        && label.bytes().next_back().is_some_and(plain)
}
