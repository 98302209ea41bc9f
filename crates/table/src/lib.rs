//! Lookup structures compiled from a snapshot: host, path, rule.
