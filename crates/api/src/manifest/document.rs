//! One document: what it is about, and whether it is right.

use std::sync::Arc;

use serde_json::Value as Json;

use super::decode::{self, Refusal};
use super::error::{ManifestError, Notice, Problem, Subject};
use super::{Located, Manifest};
use crate::field_path::FieldPath;
use crate::kind::{GATEWAY_GROUP, Kind, Scope};
use crate::names;
use crate::schema::{self, Fault, Violation};
use crate::suggest::closest;
use crate::yaml::Node;

/// Reads a document into what its text holds.
pub(super) fn read(node: &Node, manifest: &mut Manifest) {
    if node.is_null() {
        return;
    }
    let document = Document::new(node);
    match document.identify() {
        Ok(Identity::Object(kind, version)) => document.read_object(kind, version, manifest),
        Ok(Identity::List(items)) => items.iter().for_each(|item| read(item, manifest)),
        Ok(Identity::Unused(notice)) => manifest.notices.extend(notice),
        Err(error) => manifest.errors.push(error),
    }
}

struct Document<'a> {
    node: &'a Node,
    subject: Option<Arc<Subject>>,
}

enum Identity<'a> {
    /// An object of a kind and version that we read.
    Object(Kind, &'a str),
    /// A `List`, or a list of one kind.
    List(&'a [Node]),
    /// An object that is none of our business.
    Unused(Option<Notice>),
}

impl<'a> Document<'a> {
    fn new(node: &'a Node) -> Self {
        let text = |node: Option<&Node>| node.and_then(Node::text).map(ToOwned::to_owned);
        let metadata = node.field("metadata");
        let subject = text(node.field("kind")).map(|kind| {
            Arc::new(Subject {
                kind,
                namespace: text(metadata.and_then(|m| m.field("namespace"))),
                name: text(metadata.and_then(|m| m.field("name"))),
            })
        });
        Self { node, subject }
    }

    fn error(&self, path: FieldPath, problem: Problem) -> ManifestError {
        let at = self.node.locate(&path);
        ManifestError {
            line: at.line,
            column: at.column,
            subject: self.subject.clone(),
            path,
            problem,
        }
    }

    fn refusal(&self, kind: Kind, path: FieldPath, problem: Problem) -> ManifestError {
        let mut error = self.error(path, problem);
        if kind == Kind::Secret {
            error.path = decode::shown_of_secret(&error.path);
        }
        error
    }

    fn identify(&self) -> Result<Identity<'a>, ManifestError> {
        if !self.node.is_map() {
            return Err(self.error(FieldPath::root(), Problem::NoObject));
        }
        let api_version = self.required_text("apiVersion")?;
        let kind_name = self.required_text("kind")?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let path = FieldPath::root();
        if let Some(kind) = Kind::find(group, kind_name) {
            if kind.versions().contains(&version) {
                return Ok(Identity::Object(kind, version));
            }
            let version = version.to_owned();
            let problem = Problem::UnknownVersion { kind, version };
            return Err(self.error(path.key("apiVersion"), problem));
        }
        if let Some(items) = self.node.field("items").and_then(Node::items)
            && kind_name.ends_with("List")
        {
            return Ok(Identity::List(items));
        }
        let suggestion = suggest(group, kind_name);
        if group != GATEWAY_GROUP && suggestion.is_none() {
            return Ok(Identity::Unused(self.notice(api_version)));
        }
        let problem = Problem::UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind_name.to_owned(),
            suggestion,
        };
        Err(self.error(path.key("kind"), problem))
    }

    fn required_text(&self, key: &str) -> Result<&'a str, ManifestError> {
        let path = FieldPath::root().key(key);
        let Some(value) = self.node.field(key).filter(|value| !value.is_null()) else {
            return Err(self.error(path, Fault::Missing.into()));
        };
        value.text().ok_or_else(|| {
            let fault = Fault::wrong_type("a text", &value.to_json());
            self.error(path, fault.into())
        })
    }

    fn notice(&self, api_version: &str) -> Option<Notice> {
        Some(Notice {
            line: self.node.at.line,
            subject: self.subject.clone()?,
            api_version: api_version.to_owned(),
        })
    }

    fn read_object(&self, kind: Kind, version: &str, manifest: &mut Manifest) {
        let mut json = self.node.to_json();
        let mut violations = schema::admit(kind, version, &mut json);
        violations.extend(check_names(kind, &json));
        let mut errors: Vec<ManifestError> = violations
            .into_iter()
            .map(|Violation { path, fault }| self.error(path, fault.into()))
            .collect();
        match decode::object(kind, json) {
            Ok(object) if errors.is_empty() => manifest.objects.push(Located {
                object,
                line: self.node.at.line,
            }),
            Ok(_) => {}
            // The schema says better what is wrong with the fields it knows.
            Err(refusals) => errors.extend(
                refusals
                    .into_iter()
                    .filter(|_| errors.is_empty())
                    .map(|Refusal { path, problem }| self.refusal(kind, path, problem))
                    .collect::<Vec<_>>(),
            ),
        }
        errors.sort_by_key(|error| (error.line, error.column));
        manifest.errors.extend(errors);
    }
}

/// The kind that may have been meant by one we do not read.
fn suggest(group: &str, name: &str) -> Option<String> {
    let groups = Kind::ALL.map(Kind::group);
    // A group of one letter more or less is a typo; `networking.istio.io` is another product.
    let near_group = closest(group, groups.into_iter().filter(|known| !known.is_empty()));
    let group = if groups.contains(&group) {
        group
    } else {
        near_group?
    };
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.group() == group);
    let name = closest(name, kinds.map(Kind::as_str))?;
    let kind = Kind::find(group, name)?;
    Some(format!("{kind} of {}", kind.api_version()))
}

/// What is wrong with the object's own name and namespace.
fn check_names(kind: Kind, json: &Json) -> Vec<Violation> {
    let path = FieldPath::root().key("metadata");
    let field = |name: &str| json.get("metadata")?.get(name)?.as_str();
    let format = |field: &str, found: &str, format: &str| Violation {
        path: path.key(field),
        fault: Fault::Format {
            found: found.to_owned(),
            format: format.to_owned(),
        },
    };
    let mut found = Vec::new();
    match field("name") {
        // `example.com:signer:name`, for bundles of a signer.
        Some(name)
            if kind == Kind::ClusterTrustBundle && name.split(':').all(names::is_dns_subdomain) => {
        }
        Some(name) if !names::is_dns_subdomain(name) => {
            found.push(format(
                "name",
                name,
                "DNS subdomain: lower-case letters, digits, - and .",
            ));
        }
        Some(_) => {}
        None => found.push(Violation {
            path: path.key("name"),
            fault: Fault::Missing,
        }),
    }
    match field("namespace") {
        Some(namespace)
            if kind.scope() == Scope::Namespaced
                && !namespace.is_empty()
                && !names::is_dns_label(namespace) =>
        {
            found.push(format(
                "namespace",
                namespace,
                "DNS label: lower-case letters, digits and -",
            ));
        }
        _ => {}
    }
    found
}
