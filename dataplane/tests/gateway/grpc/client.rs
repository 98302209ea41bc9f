//! A client for one HTTP/2 connection.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Bytes, Service};
use tonic::{Request, Response, Status, Streaming};

use super::Raw;

/// A connection with calls on it.
#[derive(Clone)]
pub(super) struct Caller(SendRequest<Body>);

impl Service<hyper::Request<Body>> for Caller {
    type Response = hyper::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, hyper::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: hyper::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

impl Caller {
    pub(super) async fn open(at: SocketAddr) -> Self {
        let socket = TcpStream::connect(at).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = (builder.initial_max_send_streams(100))
            .handshake(TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn ready(&self) -> Grpc<Self> {
        let origin = "http://calls.example".parse().unwrap();
        let big = 64 << 20;
        let grpc = Grpc::with_origin(self.clone(), origin);
        let mut grpc = grpc
            .max_decoding_message_size(big)
            .max_encoding_message_size(big);
        grpc.ready().await.unwrap();
        grpc
    }

    /// A call of `test.Behaviour`.
    pub(super) async fn call(
        &self,
        method: &'static str,
        messages: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        self.call_with(method, Request::new(messages)).await
    }

    pub(super) async fn call_with<S>(
        &self,
        method: &'static str,
        request: Request<S>,
    ) -> Result<Response<Streaming<Bytes>>, Status>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let path = PathAndQuery::try_from(format!("/test.Behaviour/{method}")).unwrap();
        self.ready().await.streaming(request, path, Raw).await
    }

    /// A call with one message and one answer.
    pub(super) async fn unary(
        &self,
        method: &'static str,
        message: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        let path = PathAndQuery::try_from(format!("/test.Behaviour/{method}")).unwrap();
        let request = Request::new(message.into());
        self.ready().await.unary(request, path, Raw).await
    }
}
