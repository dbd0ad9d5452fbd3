//! What the peer port answers to who sends a snapshot.

use super::super::site::{Answer, PeerSite};
use super::receive::Refusal;
use super::{CHECKSUM, CHUNK_BYTES, FILE, MANIFEST_BYTES_MAX, OFFSET, STEP};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tonic::body::Body;

impl PeerSite {
    /// A step of a snapshot's transfer.
    pub(in crate::peers) async fn take_snapshot(&self, request: Request<Incoming>) -> Answer {
        if let Some(refusal) = self.refuse(&request, Method::POST) {
            return refusal;
        }
        let (head, body) = request.into_parts();
        let Some(step) = head.headers.get(STEP).and_then(|step| step.to_str().ok()) else {
            return self.take_database(body).await;
        };
        let bytes_max = match step {
            "begin" => MANIFEST_BYTES_MAX,
            _ => CHUNK_BYTES as usize,
        };
        let Ok(content) = Limited::new(body, bytes_max).collect().await else {
            return self.error(StatusCode::BAD_REQUEST, "error reading snapshot");
        };
        let taken = match step {
            "begin" => self.begin_snapshot(content.to_bytes()).await,
            "chunk" => self.take_chunk(&head.headers, content.to_bytes()).await,
            "finish" => self.finish_snapshot().await,
            _ => Err(Refusal::Unusable("unknown step".into())),
        };
        match taken {
            Ok(None) => self.answer_with(StatusCode::NO_CONTENT, Bytes::new()),
            Ok(Some(content)) => self.answer_with(StatusCode::OK, content),
            Err(refusal) => {
                let status = match &refusal {
                    Refusal::OutOfStep => StatusCode::CONFLICT,
                    Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
                    Refusal::Unusable(_) => StatusCode::BAD_REQUEST,
                    Refusal::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
                };
                if !matches!(refusal, Refusal::OutOfStep) {
                    tracing::warn!(error = %refusal, "a snapshot was refused");
                }
                self.error(status, &refusal.to_string())
            }
        }
    }

    async fn begin_snapshot(&self, content: Bytes) -> Result<Option<Bytes>, Refusal> {
        let malformed = |_| Refusal::Unusable("malformed manifest".into());
        let manifest: super::manifest::Manifest =
            serde_json::from_slice(&content).map_err(malformed)?;
        if manifest.to != self.member.identity.member {
            return Err(Refusal::Unusable("cannot process message to mismatch member".into()));
        }
        let member = self.member.clone();
        let has = apart(move || member.snapshots.receiver.begin(manifest)).await?;
        let content = serde_json::to_vec(&has).map_err(|e| Refusal::Io(e.into()))?;
        Ok(Some(content.into()))
    }

    async fn take_chunk(
        &self,
        headers: &HeaderMap,
        content: Bytes,
    ) -> Result<Option<Bytes>, Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let file = text(FILE).and_then(|file| file.parse().ok());
        let offset = text(OFFSET).and_then(|offset| offset.parse().ok());
        let checksum = text(CHECKSUM).and_then(|sum| u32::from_str_radix(sum, 16).ok());
        let (Some(file), Some(offset), Some(checksum)) = (file, offset, checksum) else {
            return Err(Refusal::Unusable("malformed headers".into()));
        };
        let member = self.member.clone();
        apart(move || member.snapshots.receiver.chunk(file, offset, checksum, &content)).await?;
        Ok(None)
    }

    async fn finish_snapshot(&self) -> Result<Option<Bytes>, Refusal> {
        let member = self.member.clone();
        let message = apart(move || member.snapshots.receiver.finish()).await?;
        self.member.offer_snapshot(message);
        Ok(None)
    }

    pub(super) fn answer_with(&self, status: StatusCode, content: Bytes) -> Answer {
        let mut answer = Response::new(Body::new(Full::new(content)));
        *answer.status_mut() = status;
        self.mark(&mut answer);
        answer
    }
}

/// Works on files where no network thread waits for it.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Refusal::Unusable("the receiver failed".into())))
}
