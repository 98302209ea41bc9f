//! From an HTTP request to a stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use hyper::body::Incoming;
use portcullis_wire::limits::{MAX_REPLY_BYTES, MAX_UPDATE_BYTES};
use portcullis_wire::messages::DataPlaneMessage;
use prost::Message;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::talk::Visit;
use super::{Shared, Streams, not_the_leader};
use crate::serve::identity::{self, Bearer, Pod, Refusal};

/// What `proto/portcullis/v1/state.proto` calls it.
const METHOD: &str = "/portcullis.v1.Configuration/Stream";

/// Messages that wait to be written to a stream.
const OUTBOUND: usize = 1;

/// How many of a connection's streams are held by a pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct Occupied(Arc<AtomicUsize>);

/// One stream that is held.
#[derive(Debug)]
pub(super) struct Occupant(Arc<AtomicUsize>);

impl Occupied {
    /// Whether none is.
    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn occupy(&self) -> Occupant {
        self.0.fetch_add(1, Ordering::Relaxed);
        Occupant(Arc::clone(&self.0))
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a request of one connection.
pub(crate) async fn answer(
    streams: Streams,
    occupied: Occupied,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    if request.uri().path() != METHOD {
        return Ok(Status::unimplemented("no such method").into_http());
    }
    let mut grpc = Grpc::new(Prepared)
        .max_decoding_message_size(MAX_REPLY_BYTES)
        .max_encoding_message_size(MAX_UPDATE_BYTES);
    Ok(grpc.streaming(Call { streams, occupied }, request).await)
}

/// Sends what was encoded already: an update is encoded once for all pods that need it.
#[derive(Clone, Copy, Debug)]
struct Prepared;

impl Codec for Prepared {
    type Encode = Bytes;
    type Decode = DataPlaneMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Prepared {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Prepared {
    type Item = DataPlaneMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DataPlaneMessage>, Status> {
        let message = DataPlaneMessage::decode(buffer);
        message
            .map(Some)
            .map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

struct Call {
    streams: Streams,
    occupied: Occupied,
}

impl StreamingService<DataPlaneMessage> for Call {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<DataPlaneMessage>>) -> Self::Future {
        let shared = Arc::clone(&self.streams.shared);
        let occupied = self.occupied.clone();
        Box::pin(async move {
            let admitted = shared.admit(&request, &occupied).await;
            let (visit, occupant) = admitted.inspect_err(|_| shared.metrics.refused.increment())?;
            let (sender, mut receiver) = mpsc::channel(OUTBOUND);
            tokio::spawn(async move {
                visit.stay(request.into_inner(), sender).await;
                drop(occupant);
            });
            let outbound = stream::poll_fn(move |context| receiver.poll_recv(context));
            Ok(Response::new(outbound.boxed()))
        })
    }
}

impl Shared {
    /// Lets a pod in that says who it is.
    async fn admit<T>(
        self: &Arc<Self>,
        request: &Request<T>,
        occupied: &Occupied,
    ) -> Result<(Visit, Occupant), Status> {
        if !self.leadership.is_held() {
            return Err(not_the_leader());
        }
        let identified = self.identify(request).await.inspect_err(|refusal| {
            tracing::warn!(%refusal, "a data plane's stream was refused");
        });
        let (bearer, pod) = identified?;
        let Some(seat) = self.registry.enter(&pod) else {
            return Err(Status::resource_exhausted("too many streams"));
        };
        let visit = Visit::new(Arc::clone(self), bearer.account, pod, seat);
        Ok((visit, occupied.occupy()))
    }

    async fn identify<T>(&self, request: &Request<T>) -> Result<(Bearer, Pod), Refusal> {
        let token = identity::token(request.metadata().as_ref())?;
        let answer = {
            // The semaphore is never closed.
            let _turn = self.reviews.acquire().await;
            self.review.review(token).await
        };
        let bearer = identity::bearer(answer.map_err(Refusal::NoReview)?)?;
        let pod = identity::pod(&bearer, &self.accounts.borrow())?;
        Ok((bearer, pod))
    }
}
