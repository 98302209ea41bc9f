//! Text to trees.

use std::collections::{BTreeMap, HashSet};

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::Value as Json;
use thiserror::Error;

use super::scalar;
use super::tree::{Entry, Node, Position, Value};

/// How deep a document may nest, aliases included. The deepest field of the Gateway API is at 12.
const MAX_DEPTH: usize = 100;
/// How many values aliases may add to a document.
const MAX_ALIASED: usize = 10_000;

/// Why a document is no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct SyntaxError {
    /// Where it was noticed.
    pub(crate) at: Position,
    /// What is wrong, in words.
    pub(crate) message: String,
}

/// The documents of a text, in order. One that is no YAML does not hide those after it.
pub(crate) fn documents(text: &str) -> Vec<Result<Node, SyntaxError>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(error.into()),
        };
        match step {
            Ok(Some(document)) => documents.push(Ok(document)),
            Ok(None) => {}
            Err(error) => {
                documents.push(Err(error));
                builder = Builder::default();
                match parser.proceed_next_document() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        documents.push(Err(error.into()));
                        break;
                    }
                }
            }
        }
    }
    documents
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        let marker = error.marker();
        Self {
            at: Position {
                line: marker.line(),
                column: marker.col() + 1,
            },
            message: error.info(),
        }
    }
}

/// Builds the tree of one document after the other.
#[derive(Default)]
struct Builder {
    /// Lists and maps that are still open, outermost first.
    open: Vec<Open>,
    /// What aliases may name.
    anchors: BTreeMap<usize, Anchored>,
    /// How many values aliases have added.
    aliased: usize,
    root: Option<Node>,
}

/// A list or map that is still open.
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
    /// How many values it holds, itself included.
    size: usize,
    /// How deep it nests, itself included.
    depth: usize,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        keys: HashSet<String>,
        /// The key whose value comes next.
        key: Option<(String, Position)>,
        /// Values of `<<`, which give way to the map's own keys.
        merged: Vec<Node>,
    },
}

/// A value that an alias may name.
struct Anchored {
    /// `None` while the value is still open: an alias inside of it would not end.
    node: Option<Node>,
    size: usize,
    depth: usize,
}

/// A finished value.
struct Done {
    node: Node,
    /// Whether it was a plain scalar, of which `<<` is a merge key.
    plain: bool,
    size: usize,
    depth: usize,
}

impl Builder {
    /// Takes one event; answers with a document when it ends.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, SyntaxError> {
        let at = Position {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::DocumentEnd => return Ok(std::mem::take(self).root),
            Event::Scalar(text, style, anchor, tag) => {
                let value = Value::Scalar(scalar_value(&text, style, tag.as_deref()));
                let done = Done {
                    node: Node { at, value },
                    plain: matches!(style, ScalarStyle::Plain),
                    size: 1,
                    depth: 1,
                };
                self.finish(done, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => self.open(at, anchor, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.open(at, anchor, Content::map()),
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Ok(None)
    }

    fn open(&mut self, at: Position, anchor: usize, content: Content) {
        if anchor != 0 {
            let unfinished = Anchored {
                node: None,
                size: 0,
                depth: 0,
            };
            self.anchors.insert(anchor, unfinished);
        }
        self.open.push(Open {
            at,
            anchor,
            content,
            size: 1,
            depth: 1,
        });
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut entries,
                mut keys,
                key: _,
                merged,
            } => {
                for node in merged {
                    merge(&mut entries, &mut keys, node)?;
                }
                Value::Map(entries)
            }
        };
        let done = Done {
            node: Node { at: open.at, value },
            plain: false,
            size: open.size,
            depth: open.depth,
        };
        self.finish(done, open.anchor)
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), SyntaxError> {
        let Some(Anchored { node, size, depth }) = self.anchors.get(&anchor) else {
            return Err(error(at, "this alias names no anchor"));
        };
        let Some(node) = node else {
            return Err(error(at, "this alias is part of what it names"));
        };
        self.aliased += size;
        if self.aliased > MAX_ALIASED {
            let message = format!("aliases add more than {MAX_ALIASED} values");
            return Err(error(at, &message));
        }
        if self.open.len() + depth > MAX_DEPTH {
            let message = format!("aliases nest deeper than {MAX_DEPTH}");
            return Err(error(at, &message));
        }
        let done = Done {
            node: Node { at, ..node.clone() },
            plain: false,
            size: *size,
            depth: *depth,
        };
        self.finish(done, 0)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, done: Done, anchor: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            let anchored = Anchored {
                node: Some(done.node.clone()),
                size: done.size,
                depth: done.depth,
            };
            // A copy is kept, so an anchor counts like an alias.
            self.aliased += done.size;
            self.anchors.insert(anchor, anchored);
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(done.node);
            return Ok(());
        };
        open.size += done.size;
        open.depth = open.depth.max(done.depth + 1);
        open.content.push(done)
    }
}

impl Content {
    fn map() -> Self {
        Self::Map {
            entries: Vec::new(),
            keys: HashSet::new(),
            key: None,
            merged: Vec::new(),
        }
    }

    fn push(&mut self, done: Done) -> Result<(), SyntaxError> {
        let Done { node, plain, .. } = done;
        match self {
            Self::List(items) => items.push(node),
            Self::Map {
                entries,
                keys,
                key,
                merged,
            } => match key.take() {
                None => *key = Some(key_text(&node, plain)?),
                Some((name, _)) if name == MERGE => merged.push(node),
                Some((name, at)) => {
                    if !keys.insert(name.clone()) {
                        return Err(error(at, &twice(&name)));
                    }
                    entries.push(Entry {
                        key: name,
                        at,
                        node,
                    });
                }
            },
        }
        Ok(())
    }
}

/// Which object this is about is not known here. What is too long for a key may be a secret value
/// in its place, and is not repeated.
fn twice(key: &str) -> String {
    if key.len() > 40 {
        "this key is there twice".to_owned()
    } else {
        format!("the key `{key}` is there twice")
    }
}

/// What a plain `<<` becomes: not a text that a key can be.
const MERGE: &str = "\u{0}<<";

fn key_text(node: &Node, plain: bool) -> Result<(String, Position), SyntaxError> {
    let text = match &node.value {
        Value::Scalar(Json::String(text)) if plain && text == "<<" => MERGE.to_owned(),
        Value::Scalar(Json::String(text)) => text.clone(),
        Value::Scalar(Json::Null) => return Err(error(node.at, "a key is missing before `:`")),
        Value::Scalar(other) => other.to_string(),
        Value::List(_) | Value::Map(_) => {
            return Err(error(node.at, "a list or map cannot be a key"));
        }
    };
    Ok((text, node.at))
}

/// Adds the entries of a merged map that the map does not have itself.
fn merge(
    entries: &mut Vec<Entry>,
    keys: &mut HashSet<String>,
    node: Node,
) -> Result<(), SyntaxError> {
    match node.value {
        Value::Map(merged) => {
            for entry in merged {
                if keys.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::List(maps) => maps
            .into_iter()
            .try_for_each(|map| merge(entries, keys, map)),
        Value::Scalar(_) => Err(error(node.at, "`<<` merges maps only")),
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Json {
    let is_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
    if matches!(style, ScalarStyle::Plain) && !is_text {
        scalar::resolve(text)
    } else {
        Json::String(text.to_owned())
    }
}

fn error(at: Position, message: &str) -> SyntaxError {
    SyntaxError {
        at,
        message: message.to_owned(),
    }
}
