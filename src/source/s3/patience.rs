//! Timeouts for all response bodies (objects, listings, errors): a body that stops, or only drips, ends
//! with an error. Without this the SDK would wait for the rest of a listing as long as the connection is
//! open.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::source::Patience;

/// Wraps the HTTP client so that every response's body is watched.
#[derive(Debug)]
pub(super) struct Watchful(pub Patience);

#[dyn_dispatch_hint]
impl Intercept for Watchful {
    fn name(&self) -> &'static str {
        "Watchful"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let inner = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Watched::new(inner, self.0));
        Ok(())
    }
}

/// Why waiting for a body was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slow {
    bytes: u64,
    span: Duration,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no more than {} bytes in {:.1?}", self.bytes, self.span)
    }
}

impl std::error::Error for Slow {}

struct Watched {
    inner: SdkBody,
    patience: Patience,
    /// Fires when nothing has come for too long. Created at the first wait, because most bodies are there
    /// at once.
    silence: Option<Pin<Box<Sleep>>>,
    /// When the span over which bytes are counted began, and how many came.
    window: (Instant, u64),
}

impl Watched {
    fn new(inner: SdkBody, patience: Patience) -> Self {
        Self { inner, patience, silence: None, window: (Instant::now(), 0) }
    }

    /// Counts bytes. A span is judged when it is over.
    fn count(&mut self, bytes: usize) -> Result<(), Slow> {
        let now = Instant::now();
        if let Some(silence) = &mut self.silence {
            silence.as_mut().reset(now + self.patience.silence);
        }
        self.window.1 += bytes as u64;
        let span = now - self.window.0;
        if span < self.patience.drip {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.window, (now, 0)).1;
        if bytes < self.patience.drip_bytes_min { Err(Slow { bytes, span }) } else { Ok(()) }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Slow> {
        let span = self.patience.silence;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(span)));
        silence.as_mut().poll(context).map(|()| Slow { bytes: 0, span })
    }
}

impl Body for Watched {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Pending => self.wait(context).map(|slow| Some(Err(slow.into()))),
            Poll::Ready(Some(Ok(frame))) => {
                let counted = self.count(frame.data_ref().map_or(0, |data| data.len()));
                Poll::Ready(Some(counted.map(|()| frame).map_err(Into::into)))
            }
            ended => ended,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
