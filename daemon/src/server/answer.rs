//! Answers to whole messages.

use serde::Serialize;
use serde_json::Value;

use super::Service;
use vswitch_control::protocol::{
    ErrorCode, ErrorObject, Id, Message, Request, Response, parse_message,
};

/// Once the replies to a batch are as long, the rest of its requests are refused: each could ask
/// for everything.
const MAX_BATCH_REPLY_BYTES: usize = 1024 * 1024;

/// What has come of a message.
#[derive(Debug)]
pub(super) enum Answered {
    /// The reply, unless it held notifications alone.
    Now(Option<Vec<u8>>),
    /// It was put off.
    Later,
}

/// Answers a message, unless the service puts it off. A batch is never put off.
pub(super) fn answer_or_postpone<S: Service>(
    service: &mut S,
    session: &mut S::Session,
    message: &[u8],
) -> Answered {
    let is_batch = message.trim_ascii_start().starts_with(b"[");
    service.let_postpone(!is_batch);
    let reply = answer(service, session, message);
    service.let_postpone(false);
    if service.take_postponed() {
        return Answered::Later;
    }
    Answered::Now(reply)
}

/// Answers a message; `None` where it holds notifications alone.
pub(crate) fn answer<S: Service>(
    service: &mut S,
    session: &mut S::Session,
    message: &[u8],
) -> Option<Vec<u8>> {
    let mut respond = |call: Result<Request, (Id, ErrorObject)>| match call {
        Err((id, error)) => Some(Response::new(id, Err(error))),
        Ok(request) => {
            let read = S::read(&request.method, request.params);
            let outcome = read.and_then(|call| service.call(session, call));
            request.id.map(|id| Response::new(id, outcome))
        }
    };
    match parse_message(message) {
        Err(error) => encode(&Response::new(Id::Null, Err(error))),
        Ok(Message::Single(call)) => respond(call).as_ref().and_then(encode),
        Ok(Message::Batch(calls)) => {
            let mut replies = Vec::new();
            for call in calls {
                let response = if replies.len() < MAX_BATCH_REPLY_BYTES {
                    respond(call)
                } else {
                    refused(call)
                };
                if let Some(reply) = response.as_ref().and_then(encode) {
                    replies.push(if replies.is_empty() { b'[' } else { b',' });
                    replies.extend(reply);
                }
            }
            if replies.is_empty() {
                return None;
            }
            replies.push(b']');
            Some(replies)
        }
    }
}

/// The answer to a request for which there is no room.
fn refused(call: Result<Request, (Id, ErrorObject)>) -> Option<Response> {
    let id = match call {
        Err((id, _)) => id,
        Ok(request) => request.id?,
    };
    let why = format!(
        "the replies to this batch are longer than {MAX_BATCH_REPLY_BYTES} bytes already: nothing \
         was done, ask for it by itself"
    );
    Some(Response::new(
        id,
        Err::<Value, _>(ErrorObject::new(ErrorCode::TooLarge, why)),
    ))
}

/// An error that answers no request.
pub(super) fn refusal(code: ErrorCode, message: impl Into<String>) -> Option<Vec<u8>> {
    encode(&Response::new(
        Id::Null,
        Err(ErrorObject::new(code, message)),
    ))
}

fn encode<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    serde_json::to_vec(value)
        .inspect_err(|error| log::error!("cannot encode a reply: {error}"))
        .ok()
}
