//! What changed between two listings, in one line each.

use std::fmt;

use portcullis_api::{AnyObject, Kind, ObjectChange, ObjectKey, Objects};

use super::remarks::{Remark, Verdict, remarks};

/// Something about an object that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) key: ObjectKey,
    pub(crate) verdict: Verdict,
    /// What is new: `listener https: ResolvedRefs False, InvalidCertificateRef: ...`
    pub(crate) sentence: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            key,
            verdict: _,
            sentence,
        } = self;
        write!(f, "{kind} {key}: {sentence}")
    }
}

/// What to tell after a change from `old` to `new`.
pub(crate) fn changes(old: &Objects, new: &Objects) -> Vec<Change> {
    let (mut changes, mut deletions) = (Vec::new(), Vec::new());
    for changed in new.changes_since(old) {
        let ObjectChange {
            kind,
            key,
            before,
            after,
        } = changed;
        let change = |(verdict, sentence)| Change {
            kind,
            key: key.clone(),
            verdict,
            sentence,
        };
        if let Some(object) = after {
            let news = object_changes(before.as_ref(), &object);
            changes.extend(news.into_iter().map(change));
        } else {
            deletions.push(change((Verdict::Good, "deleted".to_owned())));
        }
    }
    changes.extend(deletions);
    changes
}

fn object_changes(before: Option<&AnyObject>, object: &AnyObject) -> Vec<(Verdict, String)> {
    let now = remarks(object);
    let Some(before) = before else {
        return introduction(&now);
    };
    let then = remarks(before);
    let was = |remark: &Remark| {
        then.iter()
            .find(|old| old.part == remark.part && old.condition == remark.condition)
    };
    let is_new = |remark: &&Remark| match was(remark) {
        Some(old) => said(old) != said(remark),
        None => remark.verdict() == Verdict::Bad,
    };
    let mut lines: Vec<_> = now
        .iter()
        .filter(is_new)
        .map(|remark| (remark.verdict(), remark.sentence()))
        .collect();
    let parts = |remarks: &[Remark]| {
        let parts: std::collections::BTreeSet<_> = remarks
            .iter()
            .filter_map(|remark| remark.part.clone())
            .collect();
        parts
    };
    let (then_parts, now_parts) = (parts(&then), parts(&now));
    let added = now_parts
        .difference(&then_parts)
        .map(|part| (Verdict::Good, format!("{part}: added")));
    lines.extend(added);
    let removed = then_parts.difference(&now_parts);
    lines.extend(removed.map(|part| (Verdict::Good, format!("{part}: removed"))));
    lines
}

/// What is compared: a good condition's message is of little interest.
fn said(remark: &Remark) -> (&str, &str, &str) {
    let message = match remark.verdict() {
        Verdict::Good => "",
        Verdict::Bad => remark.message.as_str(),
    };
    (remark.status.as_str(), &remark.reason, message)
}

/// A new object is told in one line when all is well.
fn introduction(remarks: &[Remark]) -> Vec<(Verdict, String)> {
    let bad: Vec<_> = remarks
        .iter()
        .filter(|remark| remark.verdict() == Verdict::Bad)
        .map(|remark| (Verdict::Bad, remark.sentence()))
        .collect();
    if !bad.is_empty() {
        return bad;
    }
    let mut conditions: Vec<_> = remarks
        .iter()
        .map(|remark| (&remark.condition, &remark.status))
        .collect();
    conditions.dedup();
    let mut told: Vec<String> = Vec::new();
    for (condition, status) in conditions {
        let text = format!("{condition} {status}");
        if !told.contains(&text) {
            told.push(text);
        }
    }
    vec![(Verdict::Good, format!("added; {}", told.join(", ")))]
}

#[cfg(test)]
mod tests;
