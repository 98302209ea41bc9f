//! Tells what is new, once.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_folder::{Finding, Severity};

use super::control::Findings;
use crate::status::changes::Change;
use crate::status::remarks::Verdict;

/// Knows what was said already.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    said: Findings,
    stage: Stage,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Changes are not told: all of it is shown as a table soon.
    #[default]
    Starting,
    Running,
}

impl Teller {
    /// From now on changes are told.
    pub(crate) fn begin(&mut self) {
        self.stage = Stage::Running;
    }

    /// Tells what changed about objects.
    pub(crate) fn changes(&self, changes: &[Change]) {
        if self.stage == Stage::Starting {
            return;
        }
        for change in changes {
            match change.verdict {
                Verdict::Good => tracing::info!("{change}"),
                Verdict::Bad => tracing::warn!("{change}"),
            }
        }
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
                    "{}: {} of its last good version stay in force until that is mended",
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
