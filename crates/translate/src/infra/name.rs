//! Names and label values that Kubernetes takes, whatever a Gateway is called.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// The longest name of a Service (RFC 1035) and the longest value of a label.
const LONGEST: usize = 63;
/// Digits of the hash that tells apart what is cut off.
const HASH_DIGITS: usize = 10;

/// The name of everything made for a Gateway: `<gateway>-<class>`, as GEP-1762 says.
///
/// A Gateway's name may have dots, begin with a digit, and be 253 characters long; a Service's name
/// may not. What does not fit is changed and gets a hash of the exact names, so that no two Gateways
/// of a namespace come to share one. What fits is left alone, for users attach to it.
pub fn object_name(gateway: &str, class: &str) -> String {
    let plain = format!("{gateway}-{class}");
    if plain.len() <= LONGEST && is_service_name(&plain) {
        return plain;
    }
    let mut name = plain.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    name.make_ascii_lowercase();
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, "gw-");
    }
    // Neither name can have a slash in it, so this tells a-b of c from a of b-c.
    shortened(&name, &format!("{gateway}/{class}"))
}

/// The value of a label that names an object: its name, or of a longer name than a label can hold,
/// the beginning and a hash.
pub fn label_value(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    shortened(name, name)
}

fn is_service_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// As much of `name` as leaves room for a hash of `exact`, and the hash.
fn shortened(name: &str, exact: &str) -> String {
    let room = LONGEST - HASH_DIGITS - 1;
    let kept = name.get(..name.floor_char_boundary(room)).unwrap_or(name);
    let kept = kept.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut hasher = SipHasher13::new();
    hasher.write(exact.as_bytes());
    let hash = format!("{:016x}", hasher.finish());
    let hash = hash.get(..HASH_DIGITS).unwrap_or(&hash);
    format!("{kept}-{hash}")
}
