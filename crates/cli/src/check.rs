//! `portcullis check`: what a gateway would make of folders.

use std::collections::BTreeSet;
use std::path::PathBuf;

use portcullis_api::status::ConditionType;
use portcullis_api::{AnyObject, Objects};
use portcullis_folder::watch::BeingWritten;
use portcullis_folder::{Contents, Finding, LineColumn, Origins, Scanner, Severity, Shelf};
use serde_json::{Value, json};

use crate::args::CheckOutput;
use crate::config::{Check, Strictness};
use crate::exit::Exit;
use crate::standalone::control::{Control, Network};
use crate::status::remarks::{Remark, Verdict, remarks};
use crate::{now, print};

/// Runs `portcullis check`.
pub(crate) fn run(config: &Check) -> Exit {
    let Check {
        roots,
        output,
        strictness,
    } = config;
    let sight = Scanner::new(roots.clone()).scan(&BeingWritten::default());
    let (objects, findings) = findings(Shelf::default().update(sight));
    let fails = findings
        .iter()
        .any(|finding| match (finding.severity, strictness) {
            (Severity::Error, _) | (Severity::Warning, Strictness::ErrorsAndWarnings) => true,
            (Severity::Warning | Severity::Note, _) => false,
        });
    match output {
        CheckOutput::Text => {
            for finding in &findings {
                print::line(&finding.to_string());
            }
            print::line(&summary(objects, &findings));
        }
        CheckOutput::Json => {
            let list: Vec<Value> = findings.iter().map(to_json).collect();
            print::line(&format!("{:#}", Value::Array(list)));
        }
    }
    if fails { Exit::Failed } else { Exit::Done }
}

/// How many objects there are, and everything there is to be said about them.
fn findings(contents: Contents) -> (usize, BTreeSet<Finding>) {
    let count = contents.objects.len();
    let origins = contents.origins.clone();
    let mut control = Control::new(Network {
        bind: Vec::new(),
        own: Vec::new(),
    });
    let step = control.replace(contents, &now());
    let mut all = step.findings.unwrap_or_default().findings;
    if let Some(listing) = step.listing {
        all.extend(conditions(&listing, &origins));
    }
    (count, all)
}

/// A finding for each condition that is not as it should be, and would not be better while serving.
fn conditions(listing: &Objects, origins: &Origins) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in listing.iter() {
        let bad = remarks(&object).into_iter().filter(|remark| {
            remark.verdict() == Verdict::Bad && remark.condition != ConditionType::Programmed
        });
        findings.extend(bad.map(|remark| finding(&object, &remark, origins)));
    }
    findings
}

fn finding(object: &AnyObject, remark: &Remark, origins: &Origins) -> Finding {
    let origin = origins.get(&(object.kind(), object.key()));
    let line = origin.and_then(|origin| origin.line);
    let severity = match remark.condition {
        ConditionType::InsecureFrontendValidationMode | ConditionType::OverlappingTlsConfig => {
            Severity::Warning
        }
        _ => Severity::Error,
    };
    Finding {
        path: origin.map_or_else(PathBuf::new, |origin| origin.path.to_path_buf()),
        at: line.map(|line| LineColumn { line, column: 1 }),
        severity,
        message: format!("{} {}: {}", object.kind(), object.key(), remark.sentence()),
    }
}

fn summary(objects: usize, findings: &BTreeSet<Finding>) -> String {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let some = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!(
        "{}: {}, {}",
        some(objects, "object"),
        some(count(Severity::Error), "error"),
        some(count(Severity::Warning), "warning")
    )
}

fn to_json(finding: &Finding) -> Value {
    let Finding {
        path,
        at,
        severity,
        message,
    } = finding;
    json!({
        "file": path.display().to_string(),
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "severity": severity.to_string(),
        "message": message,
    })
}
