//! HTTP/1.1 on loopback: accept, serve, and the two forms an answer has.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::TcpListener;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// A body, whole or streamed.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer; none closes the connection without one.
pub(crate) type Reply = Option<Response<Body>>;

/// An answer of one piece.
pub(crate) fn whole(status: u16, media_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    build(status, media_type, Full::new(body.into()).boxed_unsync())
}

/// An answer that comes bit by bit.
pub(crate) fn streamed(
    status: u16,
    media_type: &str,
    chunks: impl Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    use futures_util::StreamExt;
    let frames = chunks.map(|chunk| Ok(Frame::data(chunk)));
    build(status, media_type, BodyExt::boxed_unsync(StreamBody::new(frames)))
}

fn build(status: u16, media_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(value) = media_type.parse() {
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, value);
    }
    response
}

/// Serves every connection until the runtime ends.
pub(crate) async fn serve<H, F>(listener: TcpListener, handle: H) -> io::Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handle = handle.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let reply = handle(request);
                async move { reply.await.ok_or_else(|| io::Error::other("closed without an answer")) }
            });
            // No Date header: it would change from run to run.
            let _ended = hyper::server::conn::http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
