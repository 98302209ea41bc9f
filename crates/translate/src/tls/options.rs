//! Our keys in a listener's `tls.options`.

use std::collections::BTreeMap;

use crate::problem::Problem;

/// How one listener ends TLS, whatever the Gateway says for the port. Gateway API validates
/// clients per port; this is for hosts of one port that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminateMode {
    /// `SIMPLE`: no client certificate.
    Simple,
    /// `MUTUAL`: a client certificate of a CA kept with the server certificate.
    Mutual,
}

/// Options with this prefix are ours, and one that we do not know is a mistake.
const OWN_PREFIX: &str = "portcullis.dev/";
/// The option, and the one of an older product under which existing manifests have it.
const TERMINATE_MODE: [&str; 2] = [
    "portcullis.dev/tls-terminate-mode",
    "gateway.istio.io/tls-terminate-mode",
];

/// Reads the options. Those of other domains are for others, and passed over.
pub(crate) fn terminate_mode(
    options: &BTreeMap<String, String>,
) -> Result<Option<TerminateMode>, Problem> {
    let mut found = None;
    for (key, value) in options {
        if TERMINATE_MODE.contains(&key.as_str()) {
            let mode = parse(key, value)?;
            if found.is_some_and(|other| other != mode) {
                return Err(Problem::unsupported(format!(
                    "tls.options {} and {} contradict each other; keep one",
                    TERMINATE_MODE[1], TERMINATE_MODE[0]
                )));
            }
            found = Some(mode);
        } else if key.starts_with(OWN_PREFIX) {
            return Err(Problem::unsupported(format!(
                "tls.options has the unknown key {key}; the one known is {}",
                TERMINATE_MODE[0]
            )));
        }
    }
    Ok(found)
}

fn parse(key: &str, value: &str) -> Result<TerminateMode, Problem> {
    match value {
        "SIMPLE" => Ok(TerminateMode::Simple),
        "MUTUAL" => Ok(TerminateMode::Mutual),
        "OPTIONAL_MUTUAL" => Err(Problem::unsupported(format!(
            "tls.options {key} is OPTIONAL_MUTUAL, which is not supported; \
             use MUTUAL, or spec.tls.frontend of the Gateway with mode AllowInsecureFallback"
        ))),
        other => Err(Problem::unsupported(format!(
            "tls.options {key} is {other:?}; it must be SIMPLE or MUTUAL"
        ))),
    }
}
