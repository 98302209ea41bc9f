//! The filters of a rule, compiled when the table is built and applied per request.
//!
//! Pure functions over `http` types. One [`Filters`] value holds what a rule and one of its
//! backends ask for together, so that a request is edited in one pass:
//!
//! 1. [`Filters::redirect`]: if there is one, answer [`Redirect::location`] and stop.
//! 2. [`Filters::rewrite`]: the path and Host that the backend sees.
//! 3. [`Filters::request_headers`], then the backend, then [`Filters::response_headers`].
//! 4. [`Filters::cors`]: it answers preflights itself, and has the last word on every answer.
//!
//! Invariant: whatever a user wrote, no header or URI made here is malformed, and none of the
//! fields that delimit messages can be changed.

pub mod cors;
pub mod headers;
pub mod path;
pub mod redirect;
pub mod rewrite;

use std::sync::Arc;

use portcullis_ir::filter::Filter;

pub use cors::Cors;
pub use headers::HeaderEdits;
pub use redirect::{Redirect, RequestFacts};
pub use rewrite::Rewrite;

/// Everything to be done to the requests of one rule that go to one of its backends.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    request_headers: HeaderEdits,
    response_headers: HeaderEdits,
    redirect: Option<Box<Redirect>>,
    rewrite: Option<Box<Rewrite>>,
    cors: Option<Arc<Cors>>,
}

impl Filters {
    /// Compiles the filters of a rule followed by those of one of its backends (none for what a
    /// rule does before a backend is chosen).
    ///
    /// "Filters define the filters that are applied to requests that match this rule. Wherever
    /// possible, implementations SHOULD implement filters in the order they are specified."
    /// (`HTTPRouteRule.Filters`) Header edits keep that order, a backend's come after the
    /// rule's. "A filter MUST NOT be repeated in a rule", so of two redirects the first counts,
    /// and of a rule's and a backend's rewrite the backend's wins field by field.
    pub fn compile(rule: &[Filter], backend: &[Filter]) -> Self {
        let mut filters = Self::default();
        for filter in rule.iter().chain(backend) {
            match filter {
                Filter::RequestHeaders(edits) => filters.request_headers.push(edits),
                Filter::ResponseHeaders(edits) => filters.response_headers.push(edits),
                Filter::Redirect(redirect) => {
                    filters
                        .redirect
                        .get_or_insert_with(|| Box::new(Redirect::compile(redirect)));
                }
                Filter::Rewrite(rewrite) => {
                    filters
                        .rewrite
                        .get_or_insert_default()
                        .merge(Rewrite::compile(rewrite));
                }
                // The last word on an answer is the rule's, which is further outside.
                Filter::Cors(cors) => {
                    filters
                        .cors
                        .get_or_insert_with(|| Arc::new(Cors::compile(cors)));
                }
                // Done by `http::mirror`, which needs to know backends.
                Filter::Mirror(_) => {}
            }
        }
        filters
    }

    /// The redirect to answer with instead of asking a backend.
    pub fn redirect(&self) -> Option<&Redirect> {
        self.redirect.as_deref()
    }

    /// Which pages of other origins may read answers.
    pub fn cors(&self) -> Option<&Arc<Cors>> {
        self.cors.as_ref()
    }

    /// What the backend sees instead of the request's path and Host.
    pub fn rewrite(&self) -> Option<&Rewrite> {
        self.rewrite.as_deref()
    }

    /// Edits of the request's headers; empty when there are none.
    pub fn request_headers(&self) -> &HeaderEdits {
        &self.request_headers
    }

    /// Edits of the answer's headers; empty when there are none.
    pub fn response_headers(&self) -> &HeaderEdits {
        &self.response_headers
    }
}

#[cfg(test)]
mod tests;
