//! Requests, responses and errors as JSON-RPC 2.0 has them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::MAX_BATCH;
use super::strict::Strict;

/// What a response says about itself and about the request that it answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// No request could be made out.
    #[default]
    Null,
    /// A number chosen by the client.
    Number(serde_json::Number),
    /// A text chosen by the client.
    Text(String),
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the response is to carry; `None` for a notification, which gets none.
    pub id: Option<Id>,
    /// The method's name.
    pub method: String,
    /// The parameters by name.
    pub params: Map<String, Value>,
}

/// The answer to one call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    jsonrpc: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
    id: Id,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// Which kind of failure: see [`ErrorCode`].
    pub code: i32,
    /// One sentence for people.
    pub message: String,
    /// The same for programs; none from a switch of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ErrorData>,
}

/// What failed, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// Which failure, in a word that does not change.
    pub kind: String,
    /// What it is about: names and addresses.
    #[serde(flatten)]
    pub about: Map<String, Value>,
}

/// The kinds of failure; those from -32768 to -32000 are as JSON-RPC 2.0, 5.1 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ErrorCode {
    /// Not JSON.
    Parse = -32700,
    /// JSON, but no call.
    InvalidRequest = -32600,
    /// No such method.
    MethodNotFound = -32601,
    /// The method's parameters are wrong.
    InvalidParams = -32602,
    /// A failure inside the switch.
    Internal = -32603,
    /// Longer than [`super::MAX_MESSAGE_BYTES`]; the connection ends with it.
    TooLarge = -32001,
    /// The named port, namespace or station is not there.
    NotFound = 1,
    /// It is there already, or used by something else.
    Conflict = 2,
    /// The daemon lacks a capability.
    Permission = 3,
    /// The system refused.
    System = 4,
}

impl ErrorCode {
    /// The word for failures that have no closer one.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Parse => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::Internal => "internal",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Permission => "permission",
            Self::System => "system",
        }
    }
}

impl ErrorObject {
    /// A failure of this kind, told in one sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::about(code, code.kind(), Map::new(), message)
    }

    /// A failure that has a closer word than its code, and what it is about.
    pub fn about(
        code: ErrorCode,
        kind: &str,
        about: Map<String, Value>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code as i32,
            message: message.into(),
            data: Some(ErrorData {
                kind: kind.to_owned(),
                about,
            }),
        }
    }

    /// Which failure, in a word; none from a switch of an earlier version.
    pub fn kind(&self) -> Option<&str> {
        Some(&self.data.as_ref()?.kind)
    }
}

impl Response {
    /// The answer to the request `id`.
    pub fn new(id: Id, outcome: Result<Value, ErrorObject>) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            jsonrpc: "2.0".to_owned(),
            result,
            error,
            id,
        }
    }

    /// What the call gave.
    pub fn into_outcome(self) -> Result<Value, ErrorObject> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.result.unwrap_or(Value::Null)),
        }
    }
}

/// A message, taken apart.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// One call, or what is wrong with it and the identifier to say so under.
    Single(Result<Request, (Id, ErrorObject)>),
    /// Several at once, answered together.
    Batch(Vec<Result<Request, (Id, ErrorObject)>>),
}

/// Reads one line.
///
/// # Errors
/// The error to answer with where no call at all can be made out.
pub fn parse_message(line: &[u8]) -> Result<Message, ErrorObject> {
    let Strict(value) = serde_json::from_slice(line).map_err(|error| {
        // It is JSON, which says something twice: what, nobody can know.
        if error.is_data() {
            let why = format!("the message is not a JSON-RPC 2.0 request: {error}");
            return ErrorObject::new(ErrorCode::InvalidRequest, why);
        }
        ErrorObject::new(
            ErrorCode::Parse,
            format!("the message is not JSON: {error}"),
        )
    })?;
    let Value::Array(calls) = value else {
        return Ok(Message::Single(parse_request(value)));
    };
    if calls.is_empty() || calls.len() > MAX_BATCH {
        return Err(ErrorObject::new(
            ErrorCode::InvalidRequest,
            format!(
                "a batch holds from 1 to {MAX_BATCH} requests, not {}",
                calls.len()
            ),
        ));
    }
    Ok(Message::Batch(
        calls.into_iter().map(parse_request).collect(),
    ))
}

fn parse_request(value: Value) -> Result<Request, (Id, ErrorObject)> {
    let invalid = |id: &Option<Id>, why: &str| {
        let error = ErrorObject::new(
            ErrorCode::InvalidRequest,
            format!("the message is not a JSON-RPC 2.0 request: {why}"),
        );
        (id.clone().unwrap_or_default(), error)
    };
    let Value::Object(mut members) = value else {
        return Err(invalid(&None, "it is not an object"));
    };
    let id = match members.remove("id") {
        None => None,
        Some(Value::Null) => Some(Id::Null),
        Some(Value::Number(number)) => Some(Id::Number(number)),
        Some(Value::String(text)) => Some(Id::Text(text)),
        Some(_) => return Err(invalid(&None, "its id is neither a number nor a text")),
    };
    if members.remove("jsonrpc") != Some(Value::from("2.0")) {
        return Err(invalid(&id, "its member jsonrpc is not \"2.0\""));
    }
    let Some(Value::String(method)) = members.remove("method") else {
        return Err(invalid(&id, "it names no method"));
    };
    let params = match members.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(Value::Array(list)) if list.is_empty() => Map::new(),
        Some(Value::Array(_)) => {
            let error = ErrorObject::new(
                ErrorCode::InvalidParams,
                "parameters are given by name, in an object",
            );
            return Err((id.unwrap_or_default(), error));
        }
        Some(_) => return Err(invalid(&id, "its params are not an object")),
    };
    Ok(Request { id, method, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(line: &str) -> Result<Request, (Id, ErrorObject)> {
        match parse_message(line.as_bytes()) {
            Ok(Message::Single(request)) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn calls_and_notifications_are_told_apart() {
        let call = single(r#"{"jsonrpc":"2.0","id":"a","method":"show"}"#).unwrap();
        assert_eq!(call.id, Some(Id::Text("a".into())));
        let call = single(r#"{"jsonrpc":"2.0","id":null,"method":"show","params":[]}"#).unwrap();
        assert_eq!(call.id, Some(Id::Null));
        let note = single(r#"{"jsonrpc":"2.0","method":"show","params":{"a":1}}"#).unwrap();
        assert_eq!((note.id, note.params.len()), (None, 1));
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        for line in ["", "hello", "{", "{\"a\":1", "\u{1}", "{}{}"] {
            let error = parse_message(line.as_bytes()).unwrap_err();
            assert_eq!(error.code, -32700, "{line}");
        }
        assert_eq!(parse_message(b"\xff\xfe").unwrap_err().code, -32700);
        let deep = "[".repeat(100_000);
        assert_eq!(parse_message(deep.as_bytes()).unwrap_err().code, -32700);
    }

    #[test]
    fn what_says_something_twice_is_an_invalid_request() {
        for line in [
            r#"{"jsonrpc":"2.0","id":7,"method":"show","method":"stop"}"#,
            r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"show"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"show","params":{},"params":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":1,"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":[{"b":1,"b":1}]}}"#,
            r#"[{"jsonrpc":"2.0","id":7,"method":"show"},{"a":1,"a":2}]"#,
        ] {
            let error = parse_message(line.as_bytes()).unwrap_err();
            assert_eq!(error.code, -32600, "{line}");
            assert!(error.message.contains("twice"), "{}", error.message);
        }
    }

    #[test]
    fn what_is_no_call_is_an_invalid_request() {
        for line in [
            "1",
            "null",
            "{}",
            r#"{"jsonrpc":"1.0","id":7,"method":"show"}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":3}"#,
            r#"{"jsonrpc":"2.0","id":[],"method":"show"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"show","params":3}"#,
        ] {
            let (id, error) = single(line).unwrap_err();
            assert_eq!(error.code, -32600, "{line}");
            let expected = if line.contains("\"id\":7") {
                Id::Number(7.into())
            } else {
                Id::Null
            };
            assert_eq!(id, expected, "{line}");
        }
        let (_, error) =
            single(r#"{"jsonrpc":"2.0","id":7,"method":"show","params":[1]}"#).unwrap_err();
        assert_eq!(error.code, -32602);
    }

    #[test]
    fn a_batch_is_bounded() {
        assert_eq!(parse_message(b"[]").unwrap_err().code, -32600);
        let many = format!("[{}]", vec!["1"; MAX_BATCH + 1].join(","));
        assert_eq!(parse_message(many.as_bytes()).unwrap_err().code, -32600);
        let Ok(Message::Batch(calls)) = parse_message(b"[1,2]") else {
            panic!("no batch");
        };
        assert_eq!(calls.len(), 2);
    }

    #[test]
    fn a_response_carries_its_result_or_its_error() {
        let good = Response::new(Id::Number(1.into()), Ok(Value::from(true)));
        assert_eq!(
            serde_json::to_string(&good).unwrap(),
            r#"{"jsonrpc":"2.0","result":true,"id":1}"#
        );
        let bad = Response::new(Id::Null, Err(ErrorObject::new(ErrorCode::NotFound, "no")));
        let text = serde_json::to_string(&bad).unwrap();
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no","data":{"kind":"not_found"}},"id":null}"#
        );
        let read: Response = serde_json::from_str(&text).unwrap();
        assert_eq!(read.into_outcome().unwrap_err().message, "no");
        // From a switch of an earlier version.
        let text = r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no"},"id":null}"#;
        let read: Response = serde_json::from_str(text).unwrap();
        assert_eq!(read.into_outcome().unwrap_err().kind(), None);
    }
}
