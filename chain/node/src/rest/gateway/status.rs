//! How the application's refusals look over HTTP: gRPC's codes, and the statuses that grpc-gateway has for them.

use axum::http::StatusCode;
use tendermint::v0_38::abci::response;

/// gRPC's names and codes (`google/rpc/code.proto`) with the HTTP status of each (`grpc-gateway/runtime/errors.go`).
const CODES: [(&str, u32, StatusCode); 16] = [
    ("Canceled", 1, StatusCode::REQUEST_TIMEOUT),
    ("Unknown", 2, StatusCode::INTERNAL_SERVER_ERROR),
    ("InvalidArgument", INVALID, StatusCode::BAD_REQUEST),
    ("DeadlineExceeded", DEADLINE, StatusCode::GATEWAY_TIMEOUT),
    ("NotFound", 5, StatusCode::NOT_FOUND),
    ("AlreadyExists", 6, StatusCode::CONFLICT),
    ("PermissionDenied", 7, StatusCode::FORBIDDEN),
    ("ResourceExhausted", EXHAUSTED, StatusCode::TOO_MANY_REQUESTS),
    ("FailedPrecondition", 9, StatusCode::BAD_REQUEST),
    ("Aborted", 10, StatusCode::CONFLICT),
    ("OutOfRange", 11, StatusCode::BAD_REQUEST),
    ("Unimplemented", UNIMPLEMENTED, StatusCode::NOT_IMPLEMENTED),
    ("Internal", INTERNAL, StatusCode::INTERNAL_SERVER_ERROR),
    ("Unavailable", UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE),
    ("DataLoss", 15, StatusCode::INTERNAL_SERVER_ERROR),
    ("Unauthenticated", 16, StatusCode::UNAUTHORIZED),
];
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

/// The HTTP status of a gRPC code.
pub(super) fn http(code: u32) -> StatusCode {
    let known = CODES.iter().find(|(_, number, _)| *number == code);
    known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, _, status)| *status)
}

/// gRPC's code and words for an answer that is a refusal. The application has written the status into the log
/// (`rpc error: code = NotFound desc = …`), where it has one; the words keep that form, which is what clients of
/// the SDK's gateway match.
pub(super) fn of(answer: &response::Query) -> (u32, String) {
    let named = answer.log.strip_prefix("rpc error: code = ").and_then(|rest| rest.split_once(" desc = "));
    let code = match named {
        Some((name, _)) => CODES.iter().find(|(known, ..)| *known == name).map_or(2, |(_, number, _)| *number),
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
