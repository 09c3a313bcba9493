//! How the application's refusals look over HTTP: gRPC's codes, and the statuses that grpc-gateway has for them.

use axum::http::StatusCode;
use tendermint::v0_38::abci::response;
use tonic::Code;

use crate::services::status;

/// The request makes no sense.
pub(super) const INVALID: u32 = 3;
/// It took too long.
pub(super) const DEADLINE: u32 = 4;
/// It would take too much.
pub(super) const EXHAUSTED: u32 = 8;
/// Nobody answers that.
pub(super) const UNIMPLEMENTED: u32 = 12;
/// Something is broken here.
pub(super) const INTERNAL: u32 = 13;
/// Nobody can answer now.
pub(super) const UNAVAILABLE: u32 = 14;

/// The HTTP status of a gRPC code (`grpc-gateway/runtime/errors.go`).
pub(super) fn http(code: u32) -> StatusCode {
    match code {
        1 => StatusCode::REQUEST_TIMEOUT,
        INVALID | 9 | 11 => StatusCode::BAD_REQUEST,
        DEADLINE => StatusCode::GATEWAY_TIMEOUT,
        5 => StatusCode::NOT_FOUND,
        6 | 10 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        EXHAUSTED => StatusCode::TOO_MANY_REQUESTS,
        UNIMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// gRPC's code and words for an answer that is a refusal. The application has written the status into the log
/// (`rpc error: code = NotFound desc = …`), where it has one; the words keep that form, which is what clients of
/// the SDK's gateway match.
pub(super) fn of(answer: &response::Query) -> (u32, String) {
    let code = match status::named(&answer.log) {
        Some((code, _)) => code.unwrap_or(Code::Unknown) as u32,
        None if answer.log.starts_with("unknown query path") => UNIMPLEMENTED,
        // `sdkErrorToGRPCError` of the SDK's `client/grpc_query.go`.
        None => match (answer.codespace.as_str(), u32::from(answer.code)) {
            ("sdk", 18) => INVALID,
            ("sdk", 4) => 16,
            ("sdk", 22 | 38) => 5,
            ("sdk", 1) | ("undefined", 1) => INTERNAL,
            _ => 2,
        },
    };
    (code, answer.log.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_statuses() {
        for (log, space, code, grpc, status) in [
            ("rpc error: code = NotFound desc = account a not found: key not found", "sdk", 22, 5, 404),
            ("rpc error: code = InvalidArgument desc = x: invalid request", "sdk", 18, 3, 400),
            ("rpc error: code = Unknown desc = codespace wasm code 22: no such contract", "sdk", 6, 2, 500),
            ("rpc error: code = Nonsense desc = x", "sdk", 6, 2, 500),
            ("unknown query path \"/x\": unknown request", "sdk", 6, 12, 501),
            ("failed to load state at height 9", "sdk", 18, 3, 400),
            ("fee-grant not found: not found", "sdk", 38, 5, 404),
            ("no such code", "wasm", 28, 2, 500),
        ] {
            let answer =
                response::Query { code: code.into(), codespace: space.into(), log: log.into(), ..Default::default() };
            let (number, text) = of(&answer);
            assert_eq!((number, text.as_str(), http(number).as_u16()), (grpc, log, status), "{log}");
        }
        assert_eq!(http(99), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
