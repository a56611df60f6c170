//! One object: request, body, tries.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::RequestPayer;
use tokio::time::{Instant, timeout};

use super::session::{Defeat, Session};
use super::trouble::{Trouble, TroubleKind};
use crate::source::Patience;
use crate::source::local::too_large;
use crate::source::retry::Cause;

/// How fetching ended. The bytes, or the part that arrived, are in the buffer.
pub(super) enum Fetch {
    Whole,
    TooLarge(String),
    Defeated(Defeat),
}

/// Fetches `key` into `buffer`, with all tries.
pub(super) async fn fetch(session: &Session, key: &str, buffer: &mut Vec<u8>) -> Fetch {
    let mut request = session.tries();
    let mut version: Option<String> = None;
    loop {
        buffer.clear();
        let client = request.client();
        match try_once(session, &client, key, &mut version, buffer).await {
            Ok(()) => return Fetch::Whole,
            Err(Stop::TooLarge(reason)) => return Fetch::TooLarge(reason),
            Err(Stop::Trouble(trouble)) => {
                if trouble.kind == TroubleKind::Passing(Cause::Changed) {
                    // The version that was begun is gone; the next try may take any.
                    version = None;
                }
                if let Err(defeat) = request.recover(trouble).await {
                    return Fetch::Defeated(defeat);
                }
            }
        }
    }
}

enum Stop {
    Trouble(Trouble),
    TooLarge(String),
}

/// One GET. `version` is the ETag that the tries have settled on.
async fn try_once(session: &Session, client: &Client, key: &str, version: &mut Option<String>, buffer: &mut Vec<u8>) -> Result<(), Stop> {
    let payer = session.shared.options.request_payer.then_some(RequestPayer::Requester);
    let request = client.get_object().bucket(session.bucket()).key(key).set_if_match(version.clone()).set_request_payer(payer);
    let output = request.send().await.map_err(|error| Stop::Trouble(Trouble::of(&error)))?;
    session.answered();
    *version = output.e_tag().map(str::to_owned);
    let bytes_max = session.shared.options.memory_bytes_max;
    let length = output.content_length().and_then(|length| u64::try_from(length).ok());
    if length.is_some_and(|length| length > bytes_max) {
        return Err(Stop::TooLarge(too_large(bytes_max)));
    }
    read_body(output, length, bytes_max, session.shared.options.patience, buffer).await?;
    session.answered();
    Ok(())
}

/// Reads a body that may stop, drip, break, or end early.
async fn read_body(output: GetObjectOutput, length: Option<u64>, bytes_max: u64, patience: Patience, buffer: &mut Vec<u8>) -> Result<(), Stop> {
    let mut body = output.body;
    let mut window = (Instant::now(), 0_u64);
    loop {
        let piece = match timeout(patience.silence, body.next()).await {
            Err(_) => return Err(slow(format!("nothing for {:?}, {} bytes in", patience.silence, buffer.len()))),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Stop::Trouble(Trouble::of_body(&error))),
            Ok(Some(Ok(piece))) => piece,
        };
        if (buffer.len() + piece.len()) as u64 > bytes_max {
            return Err(Stop::TooLarge(too_large(bytes_max)));
        }
        buffer.extend_from_slice(&piece);
        window.1 += piece.len() as u64;
        if window.0.elapsed() >= patience.drip {
            if window.1 < patience.drip_bytes_min {
                return Err(slow(format!("{} bytes in {:?}", window.1, patience.drip)));
            }
            window = (Instant::now(), 0);
        }
    }
    match length {
        Some(length) if length != buffer.len() as u64 => {
            Err(Stop::Trouble(Trouble::passing(Cause::Short, format!("{} of {length} bytes", buffer.len()))))
        }
        _ => Ok(()),
    }
}

fn slow(detail: String) -> Stop {
    Stop::Trouble(Trouble::passing(Cause::Slow, detail))
}
