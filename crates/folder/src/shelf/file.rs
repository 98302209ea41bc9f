//! One file: its good objects, and what is wrong with the rest.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use portcullis_api::core::Namespace;
use portcullis_api::manifest::{self, Located, Manifest};
use portcullis_api::meta::{Object, Spec};
use portcullis_api::{AnyObject, Kind, ObjectKey};

use super::Tokens;
use super::generations::Generations;
use crate::finding::{Finding, LineColumn, Severity};
use crate::scan::Reading;

/// What a file holds, as far as it is right.
#[derive(Debug, Default)]
pub(super) struct File {
    reading: Option<Reading>,
    extent: Extent,
    objects: Vec<Placed>,
    /// Objects of an earlier version that the last one lacks, while it has a mistake or is a part.
    kept: Vec<Placed>,
    findings: Vec<Finding>,
}

/// How much of a file a reading gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    #[default]
    Whole,
    /// Someone writes to it still.
    Part,
}

/// An object of a file.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) name: (Kind, ObjectKey),
    pub(super) object: AnyObject,
    /// The line of its first key; `None` for a mounted Secret.
    pub(super) line: Option<usize>,
    /// Different each time an object is read.
    pub(super) token: u64,
}

/// What one reading of a file gave.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) objects: Vec<(AnyObject, Option<usize>)>,
    pub(super) findings: Vec<Finding>,
}

impl File {
    pub(super) fn objects(&self) -> &[Placed] {
        &self.objects
    }

    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn kept(&self) -> &[Placed] {
        &self.kept
    }

    /// Keeps these objects no longer: they are in another file now.
    pub(super) fn let_go(&mut self, names: &BTreeSet<(Kind, ObjectKey)>) {
        self.kept.retain(|kept| !names.contains(&kept.name));
    }

    /// Holds its objects as they are numbered, so that they are in memory once.
    pub(super) fn adopt(&mut self, generations: &Generations) {
        for placed in self.objects.iter_mut().chain(&mut self.kept) {
            if let Some(numbered) = generations.of(placed) {
                placed.object = numbered;
            }
        }
    }

    /// Takes in what the file holds now.
    pub(super) fn read(
        &mut self,
        path: &Path,
        reading: Reading,
        extent: Extent,
        tokens: &mut Tokens,
    ) {
        // What seemed to be a part may turn out to be all.
        let is_known = extent == Extent::Part || self.extent == Extent::Whole;
        if is_known && self.reading.as_ref() == Some(&reading) {
            return;
        }
        self.take(parse(path, &reading), extent, tokens);
        self.reading = Some(reading);
        self.extent = extent;
    }

    /// Replaces what the file held.
    ///
    /// While there is a mistake in a file, nothing that was in it goes away: the object that is
    /// missing may be the one with the mistake, or come after it. Nor does it while the file may
    /// be a part only.
    pub(super) fn take(&mut self, read: Read, extent: Extent, tokens: &mut Tokens) {
        let Read { objects, findings } = read;
        let place = |(object, line): (AnyObject, _)| Placed {
            name: (object.kind(), object.key()),
            object,
            line,
            token: tokens.next(),
        };
        let before = std::mem::take(&mut self.objects);
        let before = before.into_iter().chain(std::mem::take(&mut self.kept));
        self.objects = objects.into_iter().map(place).collect();
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        if extent == Extent::Part || findings.iter().any(is_error) {
            let fresh: BTreeSet<_> = self.objects.iter().map(|placed| &placed.name).collect();
            let missing = before.filter(|old| !fresh.contains(&old.name));
            self.kept = missing.collect();
        }
        self.findings = findings;
    }
}

fn parse(path: &Path, reading: &Reading) -> Read {
    let error = |at, message: String| Finding {
        path: path.to_owned(),
        at,
        severity: Severity::Error,
        message,
    };
    let text = match reading {
        Reading::Bytes(bytes) => std::str::from_utf8(bytes),
        Reading::Unreadable(reason) => {
            let findings = vec![error(None, format!("cannot be read: {reason}"))];
            return Read {
                objects: Vec::new(),
                findings,
            };
        }
    };
    let text = match text {
        Ok(text) => text,
        Err(utf8) => {
            let message = format!(
                "not UTF-8 text: byte {} is no character",
                utf8.valid_up_to() + 1
            );
            return Read {
                objects: Vec::new(),
                findings: vec![error(None, message)],
            };
        }
    };
    let Manifest {
        objects,
        errors,
        notices,
    } = manifest::parse(text);
    let errors = errors.into_iter().map(|mistake| {
        let at = LineColumn {
            line: mistake.line,
            column: mistake.column,
        };
        error(Some(at), without_place(&mistake.to_string()).to_owned())
    });
    let notices = notices.into_iter().map(|notice| Finding {
        severity: Severity::Note,
        ..error(
            Some(LineColumn {
                line: notice.line,
                column: 1,
            }),
            without_place(&notice.to_string()).to_owned(),
        )
    });
    let findings = errors.chain(notices).collect();
    let objects = objects
        .into_iter()
        .map(|Located { object, line }| (settle(object), Some(line)));
    Read {
        objects: objects.collect(),
        findings,
    }
}

/// The text after `line:column: `.
fn without_place(text: &str) -> &str {
    text.splitn(3, ':').nth(2).map_or(text, str::trim_start)
}

/// What the API server makes of an object on its own: "Populated by the system. Read-only." goes
/// for status; a namespace is labelled with its name.
fn settle(object: AnyObject) -> AnyObject {
    match object {
        AnyObject::GatewayClass(it) => AnyObject::GatewayClass(without_status(it)),
        AnyObject::Gateway(it) => AnyObject::Gateway(without_status(it)),
        AnyObject::ListenerSet(it) => AnyObject::ListenerSet(without_status(it)),
        AnyObject::HttpRoute(it) => AnyObject::HttpRoute(without_status(it)),
        AnyObject::GrpcRoute(it) => AnyObject::GrpcRoute(without_status(it)),
        AnyObject::TlsRoute(it) => AnyObject::TlsRoute(without_status(it)),
        AnyObject::TcpRoute(it) => AnyObject::TcpRoute(without_status(it)),
        AnyObject::UdpRoute(it) => AnyObject::UdpRoute(without_status(it)),
        AnyObject::BackendTlsPolicy(it) => AnyObject::BackendTlsPolicy(without_status(it)),
        AnyObject::Namespace(it) => AnyObject::Namespace(labelled(it)),
        AnyObject::ReferenceGrant(_)
        | AnyObject::GatewayParameters(_)
        | AnyObject::ClusterTrustBundle(_)
        | AnyObject::Service(_)
        | AnyObject::EndpointSlice(_)
        | AnyObject::Secret(_)
        | AnyObject::ConfigMap(_) => object,
    }
}

fn without_status<S: Spec>(mut object: Arc<Object<S>>) -> Arc<Object<S>> {
    if object.status.is_some() {
        Arc::make_mut(&mut object).status = None;
    }
    object
}

/// "This label is added automatically as of K8s 1.22 to all namespaces" (`RouteNamespaces`).
fn labelled(mut namespace: Arc<Namespace>) -> Arc<Namespace> {
    if let Some(name) = namespace.metadata.name.clone() {
        let labels = Arc::make_mut(&mut namespace)
            .metadata
            .labels
            .get_or_insert_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    namespace
}
