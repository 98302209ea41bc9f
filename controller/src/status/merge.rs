//! What is ours in a status, put in the place of what was ours before.
//!
//! Statuses are shared: other controllers have entries in the same lists and conditions beside
//! ours. They are kept byte for byte, so all of this works on JSON as it was read, whose fields we
//! need not know.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use portcullis_api::Kind;
use portcullis_api::route::ParentReference;
use portcullis_api::status::ConditionType;
use serde_json::{Map, Value};

/// What has to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The fields of the status that change, as a JSON merge patch of it; empty: none.
    pub patch: Map<String, Value>,
    /// How many of our entries found no place, because a list is full.
    pub left_out: usize,
}

/// Whose status it is, and when.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The kind of the object.
    pub kind: Kind,
    /// The `controllerName` of our entries.
    pub controller_name: &'a str,
    /// The time of transitions that happen now, as in `lastTransitionTime`.
    pub now: &'a str,
}

/// The fields of a status that belong to the controller of the object's class, whatever kind it
/// is. Others are left alone.
const OWN_FIELDS: [&str; 5] = [
    "addresses",
    "attachedListenerSets",
    "conditions",
    "listeners",
    "supportedFeatures",
];

/// "MaxItems=8" of every list of conditions.
const MOST_CONDITIONS: usize = 8;

/// How the status of a kind is shared between controllers.
enum Sharing {
    /// One controller says all of it, others may add conditions.
    Conditions,
    /// Each controller has entries in one list.
    Entries(List),
}

struct List {
    field: &'static str,
    /// The field of an entry that, with `controllerName`, tells it from others.
    reference: &'static str,
    most: usize,
}

/// "A maximum of 32 Gateways will be represented in this list." (`RouteStatus.Parents`)
const PARENTS: List = List {
    field: "parents",
    reference: "parentRef",
    most: 32,
};

/// "A maximum of 16 ancestors will be represented in this list. … If this slice is full,
/// implementations MUST NOT add further entries." (`PolicyStatus.Ancestors`)
const ANCESTORS: List = List {
    field: "ancestors",
    reference: "ancestorRef",
    most: 16,
};

fn sharing(kind: Kind) -> Sharing {
    match kind {
        Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute => {
            Sharing::Entries(PARENTS)
        }
        Kind::BackendTlsPolicy => Sharing::Entries(ANCESTORS),
        _ => Sharing::Conditions,
    }
}

/// What has to change in the status `live` for it to say `wanted`.
pub fn merge(context: Context<'_>, live: &Value, wanted: &Value) -> Merged {
    match sharing(context.kind) {
        Sharing::Conditions => merge_whole(context, live, wanted),
        Sharing::Entries(list) => merge_entries(context, &list, live, wanted),
    }
}

/// Whether something in a status is of another controller. What the API server filled in when the
/// object was made is nobody's.
pub fn has_foreign_parts(kind: Kind, controller_name: &str, live: &Value) -> bool {
    let has_foreign_condition = |part: &Value| list(part, "conditions").any(|it| !is_own_type(it));
    match sharing(kind) {
        Sharing::Entries(entries) => list(live, entries.field)
            .any(|entry| !is_own_entry(entry, controller_name) || has_foreign_condition(entry)),
        Sharing::Conditions => {
            has_foreign_condition(live) || list(live, "listeners").any(has_foreign_condition)
        }
    }
}

fn merge_whole(context: Context<'_>, live: &Value, wanted: &Value) -> Merged {
    let mut patch = Map::new();
    let mut left_out = 0;
    for field in OWN_FIELDS {
        let before = live.get(field).unwrap_or(&Value::Null);
        let after = match (field, wanted.get(field)) {
            (_, None) => Value::Null,
            ("conditions", Some(_)) => {
                let (conditions, dropped) = conditions(context, live, wanted);
                left_out += dropped;
                Value::Array(conditions)
            }
            ("listeners", Some(_)) => {
                let merge = |wanted| {
                    let (listener, dropped) = listener(context, live, wanted);
                    left_out += dropped;
                    listener
                };
                list(wanted, "listeners").map(merge).collect()
            }
            (_, Some(wanted)) => with_defaults(wanted.clone()),
        };
        if before != &after && !(is_nothing(before) && is_nothing(&after)) {
            patch.insert(field.to_owned(), after);
        }
    }
    Merged { patch, left_out }
}

/// A listener's status. Versions of the API before v1.5 require `supportedKinds`, empty or not.
fn listener(context: Context<'_>, live: &Value, wanted: &Value) -> (Value, usize) {
    let mut known = list(live, "listeners").filter(|it| it.get("name") == wanted.get("name"));
    let (conditions, dropped) = conditions(context, known.next().unwrap_or(&Value::Null), wanted);
    let mut merged = wanted.clone();
    if let Some(fields) = merged.as_object_mut() {
        fields.insert("conditions".to_owned(), Value::Array(conditions));
        let kinds = fields.remove("supportedKinds");
        let kinds = with_defaults(kinds.unwrap_or_else(|| Value::Array(Vec::new())));
        fields.insert("supportedKinds".to_owned(), kinds);
    }
    (merged, dropped)
}

/// "Implementations MUST update only entries that have a matching value of `controllerName` for
/// that implementation." (`RouteStatus.Parents`)
///
/// Entries keep their places; new ones of ours are added at the end, as far as there is room, in
/// the order in which they are wanted.
fn merge_entries(context: Context<'_>, shared: &List, live: &Value, wanted: &Value) -> Merged {
    let is_own = |entry: &&Value| is_own_entry(entry, context.controller_name);
    let before: Vec<&Value> = list(live, shared.field).collect();
    let foreign = before.iter().filter(|entry| !is_own(entry)).count();
    let room = shared.most.saturating_sub(foreign);

    let mut names = BTreeSet::new();
    let mut own: Vec<(Option<ParentReference>, &Value)> = list(wanted, shared.field)
        .map(|entry| (referred(entry, shared), entry))
        .filter(|(name, _)| names.insert(name.clone()))
        .collect();
    let left_out = own.len().saturating_sub(room);
    own.truncate(room);

    let mut after = Vec::with_capacity(foreign + own.len());
    for entry in before.iter().copied() {
        if !is_own(&entry) {
            after.push(entry.clone());
            continue;
        }
        let name = referred(entry, shared);
        if let Some(place) = own.iter().position(|(wanted, _)| *wanted == name) {
            let (_, wanted) = own.remove(place);
            after.push(entry_of(context, shared, entry, wanted));
        }
    }
    let new = own.into_iter();
    after.extend(new.map(|(_, wanted)| entry_of(context, shared, &Value::Null, wanted)));

    let mut patch = Map::new();
    if !before.iter().copied().eq(&after) {
        patch.insert(shared.field.to_owned(), Value::Array(after));
    }
    Merged { patch, left_out }
}

fn entry_of(context: Context<'_>, shared: &List, live: &Value, wanted: &Value) -> Value {
    let (conditions, _) = conditions(context, live, wanted);
    let mut merged = wanted.clone();
    if let Some(fields) = merged.as_object_mut() {
        fields.insert("conditions".to_owned(), Value::Array(conditions));
        if let Some(reference) = fields.remove(shared.reference) {
            fields.insert(shared.reference.to_owned(), with_group(reference));
        }
    }
    merged
}

/// The conditions of `live`, with ours as they are in `wanted`, and how many found no place. Those
/// of other controllers stay as they are.
fn conditions(context: Context<'_>, live: &Value, wanted: &Value) -> (Vec<Value>, usize) {
    let before: Vec<&Value> = list(live, "conditions").collect();
    let mut own: Vec<&Value> = list(wanted, "conditions").collect();
    let types: Vec<_> = own.iter().map(|it| it.get("type")).collect();
    let is_own = |it: &Value| is_own_type(it) || types.contains(&it.get("type"));
    let foreign = before.iter().filter(|it| !is_own(it)).count();
    let room = MOST_CONDITIONS.saturating_sub(foreign);
    let left_out = own.len().saturating_sub(room);
    own.truncate(room);

    let mut after = Vec::with_capacity(foreign + own.len());
    for condition in before {
        if !is_own(condition) {
            after.push(condition.clone());
            continue;
        }
        let is_same_type = |it: &&Value| it.get("type") == condition.get("type");
        if let Some(place) = own.iter().position(is_same_type) {
            after.push(timed(context, Some(condition), own.remove(place)));
        }
    }
    after.extend(own.into_iter().map(|wanted| timed(context, None, wanted)));
    (after, left_out)
}

/// A condition with its `lastTransitionTime`: "the last time the condition transitioned from one
/// status to another" (`metav1.Condition`), so it stays when only the rest has changed.
fn timed(context: Context<'_>, live: Option<&Value>, wanted: &Value) -> Value {
    let unchanged = live.filter(|live| live.get("status") == wanted.get("status"));
    let time = unchanged.and_then(|live| live.get("lastTransitionTime"));
    let time = time.cloned().unwrap_or_else(|| context.now.into());
    let mut condition = wanted.clone();
    if let Some(fields) = condition.as_object_mut() {
        fields.insert("lastTransitionTime".to_owned(), time);
    }
    condition
}

fn is_own_entry(entry: &Value, controller_name: &str) -> bool {
    entry.get("controllerName").and_then(Value::as_str) == Some(controller_name)
}

/// Whether a condition is of a type that the specification names: those are for the controller of
/// the object's class to say.
fn is_own_type(condition: &Value) -> bool {
    let name = condition.get("type").and_then(Value::as_str);
    name.is_some_and(|name| ConditionType::NAMED.contains(&name))
}

/// What an entry is about, however much of it was filled in by the API server.
fn referred(entry: &Value, shared: &List) -> Option<ParentReference> {
    let reference = with_group(entry.get(shared.reference)?.clone());
    serde_json::from_value(reference).ok()
}

/// A reference to a parent or ancestor as the API server stores it: with the defaults of `group`
/// and `kind`. Were they left out, what is stored would never be what is wanted.
fn with_group(mut reference: Value) -> Value {
    let name: Option<ParentReference> = serde_json::from_value(reference.clone()).ok();
    if let (Some(name), Some(fields)) = (name, reference.as_object_mut()) {
        let target = name.target();
        fields.insert("group".to_owned(), target.group.into());
        fields.insert("kind".to_owned(), target.kind.into());
    }
    reference
}

/// Addresses, features and kinds of route as the API server stores them.
fn with_defaults(mut values: Value) -> Value {
    for fields in values.as_array_mut().into_iter().flatten() {
        let Some(fields) = fields.as_object_mut() else {
            continue;
        };
        if fields.contains_key("kind") {
            let group = portcullis_api::kind::GATEWAY_GROUP;
            fields.entry("group").or_insert_with(|| group.into());
        } else if fields.contains_key("value") {
            fields.entry("type").or_insert_with(|| "IPAddress".into());
        }
    }
    values
}

fn list<'a>(of: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let items = of.get(field).and_then(Value::as_array);
    items.into_iter().flatten()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}
