//! The requests that a switch takes, each with its parameters: read once, where a message comes in.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    AttachParams, CaptureParams, DetachParams, ErrorCode, ErrorObject, ExplainParams, FdbAddParams,
    FdbDelParams, FdbFlushParams, FdbShowParams, NoParams, PortAddParams, PortDelParams,
    PortSetParams, ReaddressParams, method,
};
use crate::plain;
use crate::settings::{Change, SwitchSettings};

/// Declares [`Call`]: a line for each method, with the type of its parameters.
macro_rules! calls {
    ($($name:ident($params:ty) = $method:ident;)*) => {
        /// A request with its parameters: one variant for each of the methods in [`mod@method`].
        #[derive(Clone, Debug)]
        pub enum Call {
            $(
                #[doc = concat!("[`method::", stringify!($method), "`]")]
                $name($params),
            )*
        }

        impl Call {
            /// The names of all methods.
            pub const METHODS: &[&str] = &[$(method::$method),*];

            /// Reads a request.
            ///
            /// # Errors
            /// Where there is no such method, or its parameters are wrong.
            pub fn read(method: &str, params: Map<String, Value>) -> Result<Self, ErrorObject> {
                match method {
                    $(method::$method => read(params).map(Self::$name),)*
                    other => Err(ErrorObject::new(
                        ErrorCode::MethodNotFound,
                        format!("there is no method '{}'", plain::text(other)),
                    )),
                }
            }
        }
    };
}

calls! {
    Version(NoParams) = VERSION;
    Show(NoParams) = SHOW;
    Stop(NoParams) = STOP;
    Restart(NoParams) = RESTART;
    Attach(AttachParams) = ATTACH;
    Detach(DetachParams) = DETACH;
    Set(Change<SwitchSettings>) = SET;
    Readdress(ReaddressParams) = READDRESS;
    PortAdd(PortAddParams) = PORT_ADD;
    PortDel(PortDelParams) = PORT_DEL;
    PortSet(PortSetParams) = PORT_SET;
    PortList(NoParams) = PORT_LIST;
    EventsSubscribe(NoParams) = EVENTS_SUBSCRIBE;
    EventsUnsubscribe(NoParams) = EVENTS_UNSUBSCRIBE;
    FdbShow(FdbShowParams) = FDB_SHOW;
    FdbAdd(FdbAddParams) = FDB_ADD;
    FdbDel(FdbDelParams) = FDB_DEL;
    FdbFlush(FdbFlushParams) = FDB_FLUSH;
    CaptureStart(CaptureParams) = CAPTURE_START;
    Explain(ExplainParams) = EXPLAIN;
}

fn read<P: DeserializeOwned>(params: Map<String, Value>) -> Result<P, ErrorObject> {
    serde_json::from_value(Value::Object(params)).map_err(|error| {
        ErrorObject::new(
            ErrorCode::InvalidParams,
            format!("the parameters are wrong: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(method: &str, params: Value) -> Result<Call, ErrorObject> {
        let Value::Object(params) = params else {
            panic!("no object");
        };
        Call::read(method, params)
    }

    #[test]
    fn a_request_is_read_into_the_type_of_its_method() {
        let call = read("detach", json!({"namespace": "mario"})).unwrap();
        assert!(matches!(call, Call::Detach(params) if params.namespace == "mario"));
        assert!(matches!(read("show", json!({})), Ok(Call::Show(_))));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_kind() {
        for (method, params, code, kind) in [
            ("detach", json!({}), -32602, "invalid_params"),
            ("show", json!({"x": 1}), -32602, "invalid_params"),
            ("dance", json!({}), -32601, "method_not_found"),
        ] {
            let error = read(method, params).unwrap_err();
            assert_eq!(error.code, code, "{error:?}");
            assert_eq!(error.kind(), Some(kind), "{error:?}");
        }
        assert_eq!(Call::METHODS.len(), 20);
    }
}
