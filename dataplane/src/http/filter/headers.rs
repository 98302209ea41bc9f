//! RequestHeaderModifier and ResponseHeaderModifier.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use portcullis_ir::filter;
use portcullis_ir::filter::Header;

/// Header edits in the order they are done.
#[derive(Clone, Debug, Default)]
pub struct HeaderEdits {
    edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

impl HeaderEdits {
    /// Appends the edits of one filter.
    ///
    /// "Only one action for a given header name is permitted" (`HTTPHeaderFilter`), so the order
    /// among set, add and remove decides nothing within one filter.
    pub(super) fn push(&mut self, edits: &filter::HeaderEdits) {
        let filter::HeaderEdits { set, add, remove } = edits;
        let set = set
            .iter()
            .map(|Header { name, value }| Edit::Set(name.clone(), value.clone()));
        let add = add
            .iter()
            .map(|Header { name, value }| Edit::Add(name.clone(), value.clone()));
        let remove = remove.iter().map(|name| Edit::Remove(name.clone()));
        let edits = set.chain(add).chain(remove);
        self.edits.extend(edits.filter(Edit::is_allowed));
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Does the edits.
    ///
    /// "Set overwrites the request with the given header", "Add […] appends to any existing
    /// values associated with the header name", "Remove the given header(s)".
    pub fn apply(&self, headers: &mut HeaderMap) {
        for edit in &self.edits {
            match edit {
                Edit::Set(name, value) => set(headers, name, value),
                Edit::Add(name, value) => add(headers, name, value),
                Edit::Remove(name) => {
                    headers.remove(name);
                }
            }
        }
    }
}

impl Edit {
    fn is_allowed(&self) -> bool {
        let (Self::Set(name, _) | Self::Add(name, _) | Self::Remove(name)) = self;
        !is_framing(name)
    }
}

/// Whether a header belongs to one connection or delimits the message.
///
/// Deviation: the spec lets a filter name any header. Whoever may write a route must not be able
/// to change where a message ends (request smuggling) or what the proxy agreed with its peer, so
/// edits of these headers and of Host (that is what URLRewrite is for) are not done.
pub fn is_framing(name: &HeaderName) -> bool {
    const PER_CONNECTION: [HeaderName; 8] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("http2-settings"),
    ];
    PER_CONNECTION.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Replaces every value of `name`.
pub(super) fn set(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    // Fails only at 32,768 headers, far above what listeners let in.
    let _ = headers.try_insert(name, value.clone());
}

/// Adds a value to those of `name`; does nothing when the message can hold no more.
pub(super) fn add(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    let _ = headers.try_append(name, value.clone());
}

#[cfg(test)]
mod tests;
