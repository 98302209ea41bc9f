//! URLRewrite: what the backend sees instead of the request's path and Host.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use portcullis_ir::filter;

use super::path::PathRewrite;

/// A compiled URLRewrite filter.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    hostname: Option<HeaderValue>,
    path: Option<PathRewrite>,
}

/// The request's target and the rewrite give no valid URI together. The request is at fault
/// (replacements are always valid): answer 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rewritten path is no valid request target")]
pub struct InvalidTarget;

impl Rewrite {
    /// Prepares a user's rewrite.
    pub fn compile(rewrite: &filter::Rewrite) -> Self {
        let filter::Rewrite { hostname, path } = rewrite;
        Self {
            hostname: hostname.clone(),
            path: path.as_ref().map(PathRewrite::compile),
        }
    }

    /// Takes over each field that `later` has.
    pub(super) fn merge(&mut self, later: Self) {
        let Self { hostname, path } = later;
        self.hostname = hostname.or_else(|| self.hostname.take());
        self.path = path.or_else(|| self.path.take());
    }

    /// "The value to be used to replace the Host header value during forwarding."
    pub fn hostname(&self) -> Option<&HeaderValue> {
        self.hostname.as_ref()
    }

    /// The path and query to forward, `None` when the rewrite leaves the path alone. The query is
    /// the request's own.
    ///
    /// `prefix` is the text of the PathPrefix match by which the request came here.
    pub fn path_and_query(
        &self,
        uri: &Uri,
        prefix: Option<&str>,
    ) -> Result<Option<PathAndQuery>, InvalidTarget> {
        let Some(rewrite) = &self.path else {
            return Ok(None);
        };
        let path = rewrite.replace(uri.path(), prefix);
        let target = match uri.query() {
            Some(query) => [&path, "?", query].concat(),
            None => path.into_owned(),
        };
        PathAndQuery::from_maybe_shared(Bytes::from(target))
            .map(Some)
            .map_err(|_| InvalidTarget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(path: filter::PathRewrite) -> Rewrite {
        Rewrite::compile(&filter::Rewrite {
            hostname: None,
            path: Some(path),
        })
    }

    #[test]
    fn the_query_stays() {
        let prefix = rewrite(filter::PathRewrite::Prefix("/xyz".to_owned()));
        let full = rewrite(filter::PathRewrite::Full("/one".to_owned()));
        let cases = [
            (&prefix, "/foo/bar?a=/foo&b=?", "/xyz/bar?a=/foo&b=?"),
            (&prefix, "/foo?", "/xyz?"),
            (&prefix, "/foo", "/xyz"),
            (&full, "/full/one/two?x=%20", "/one?x=%20"),
            (&full, "http://other.example/a?b", "/one?b"),
        ];
        for (rewrite, uri, expected) in cases {
            let target = rewrite.path_and_query(&uri.parse().unwrap(), Some("/foo"));
            assert_eq!(target.unwrap().unwrap(), expected, "{uri}");
        }
    }

    #[test]
    fn a_hostname_alone_leaves_the_path() {
        let rewrite = Rewrite::compile(&filter::Rewrite {
            hostname: Some(HeaderValue::from_static("one.example.org")),
            path: None,
        });
        assert_eq!(rewrite.hostname().unwrap(), "one.example.org");
        assert_eq!(
            rewrite.path_and_query(&"/one".parse().unwrap(), None),
            Ok(None)
        );
    }
}
