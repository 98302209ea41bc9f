//! Tells what is new, once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use portcullis_api::Objects;
use portcullis_folder::{Finding, Severity};

use super::control::Findings;
use crate::status::changes::{Change, changes};
use crate::status::remarks::Verdict;

/// Knows what was said already.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    said: Findings,
    /// The objects as they were told; `None` until all of it was shown as a table.
    told: Option<Arc<Objects>>,
}

impl Teller {
    /// Everything about these objects was shown; from now on changes are told.
    pub(crate) fn begin(&mut self, shown: Arc<Objects>) {
        self.told = Some(shown);
    }

    /// Tells what changed about objects since this was called last.
    pub(crate) fn objects(&mut self, now: &Arc<Objects>) {
        let Some(told) = &mut self.told else { return };
        let old = std::mem::replace(told, Arc::clone(now));
        tell_changes(&changes(&old, now));
    }

    /// Tells what is new about files. Each mistake is told once, and its end as well.
    pub(crate) fn findings(&mut self, findings: Option<&Findings>) {
        let Some(now) = findings else { return };
        for finding in now.findings.difference(&self.said.findings) {
            tell(finding);
        }
        for (path, count) in &now.kept {
            if !has_same_mistakes(path, &self.said, now) {
                tracing::warn!(
                    "{}: {} of the last good version stay in force until that is mended",
                    path.display(),
                    objects(*count)
                );
            }
        }
        let paths = |findings: &Findings| -> BTreeSet<_> {
            let errors = findings
                .findings
                .iter()
                .filter(|it| it.severity == Severity::Error);
            errors.map(|finding| finding.path.clone()).collect()
        };
        for path in paths(&self.said).difference(&paths(now)) {
            tracing::info!("{}: mended", path.display());
        }
        self.said = now.clone();
    }
}

/// Tells news.
pub(crate) fn tell_changes(news: &[Change]) {
    for change in news {
        match change.verdict {
            Verdict::Good => tracing::info!("{change}"),
            Verdict::Bad => tracing::warn!("{change}"),
        }
    }
}

fn tell(finding: &Finding) {
    let Finding {
        path,
        at,
        severity,
        message,
    } = finding;
    let at = at
        .map(|at| format!(":{}:{}", at.line, at.column))
        .unwrap_or_default();
    let text = format!("{}{at}: {message}", path.display());
    match severity {
        Severity::Error => tracing::error!("{text}"),
        Severity::Warning => tracing::warn!("{text}"),
        Severity::Note => tracing::info!("{text}"),
    }
}

fn has_same_mistakes(path: &Path, a: &Findings, b: &Findings) -> bool {
    let of = |findings: &Findings| -> Vec<Finding> {
        findings
            .findings
            .iter()
            .filter(|finding| finding.path == path)
            .cloned()
            .collect()
    };
    of(a) == of(b)
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}
