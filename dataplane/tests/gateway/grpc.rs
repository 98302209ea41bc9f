//! gRPC with tonic on both sides.

mod backend;
mod client;
mod errors;
mod load;
mod streams;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::matcher::{CallMatcher, HttpMatch, NameMatcher, PathMatcher};
use portcullis_ir::route::RouteKind;
use portcullis_ir::{BackendProtocol, HttpRule, RouteId};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Bytes;

use crate::snapshot::{Scene, scene, to};

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length)))
    }
}

/// A GRPCRoute's rule: all calls of a service, or all calls.
fn calls(scene: Scene, service: Option<&str>, rule: HttpRule) -> Scene {
    let name = |name: &str| NameMatcher::Exact(name.to_owned());
    let matched = HttpMatch {
        path: PathMatcher::Call(CallMatcher {
            service: service.map(name),
            method: None,
        }),
        ..HttpMatch::every_request()
    };
    let mut scene = scene.rule("web", "", "/", rule);
    let (id, route) = scene.0.http_routes.iter().last().unwrap();
    let (id, mut route) = (id.clone(), (**route).clone());
    route.origin.kind = RouteKind::Grpc;
    route.rules[0].matches = vec![matched];
    scene.0.http_routes.remove(&id);
    let id = RouteId::new(format!("GRPCRoute/{}", route.origin.key));
    scene.0.http_routes.insert(id, Arc::new(route));
    scene
}

/// All calls go to a backend.
fn to_backend(at: &[SocketAddr]) -> Scene {
    let scene = scene().http("web", 80, "");
    let scene = scene.backend("a", BackendProtocol::H2c, at);
    calls(scene, None, to("a"))
}
