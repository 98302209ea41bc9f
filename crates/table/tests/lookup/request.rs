//! Requests, for tests.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use portcullis_table::RequestParts;

/// A request that owns what it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
}

impl Request {
    /// Reads `METHOD host/path?query`.
    pub(crate) fn parse(line: &str) -> Self {
        let (method, url) = line.split_once(' ').unwrap();
        let (host, rest) = url.split_at(url.find('/').unwrap());
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        Self {
            version: Version::HTTP_11,
            method: method.parse().unwrap(),
            host: host.to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
        }
    }

    /// The gRPC call of `host/service/method`.
    pub(crate) fn call(url: &str) -> Self {
        let call = Self::parse(&format!("POST {url}"));
        Self {
            version: Version::HTTP_2,
            ..call
        }
        .with_header("content-type", "application/grpc+proto")
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let value: HeaderValue = value.parse().unwrap();
        self.headers.append(name, value);
        self
    }

    pub(crate) fn parts(&self) -> RequestParts<'_> {
        RequestParts {
            version: self.version,
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
        }
    }
}
