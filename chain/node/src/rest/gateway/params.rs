//! What a path and a query say, put into the request's message (`grpc-gateway/runtime/query.go`).
//!
//! A name may lead into nested messages: `pagination.limit`. Of a scalar that is named twice the first word counts.
//! A parameter that the message does not have is ignored, as grpc-gateway does.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::scalar::{self, ScalarError, short};

/// Why parameters do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamError {
    /// A variable of the path.
    #[error("type mismatch, parameter: {name}, error: {error}")]
    Path {
        /// Its name.
        name: String,
        /// What is wrong.
        error: ScalarError,
    },
    /// A word of the query.
    #[error("{name}: {error}")]
    Query {
        /// Its name.
        name: String,
        /// What is wrong.
        error: ScalarError,
    },
    /// A name that goes on behind something that is no message.
    #[error("unexpected nested field {0:?}")]
    Nested(String),
    /// One alternative beside another.
    #[error("field already set for {0} oneof")]
    Oneof(String),
}

/// Puts a variable of the path into the message.
pub(super) fn bind(message: &mut DynamicMessage, name: &str, word: &str) -> Result<(), ParamError> {
    let path: Vec<&str> = name.split('.').collect();
    populate(message, &path, &[word]).map_err(|error| match error {
        ParamError::Query { name, error } => ParamError::Path { name, error },
        other => other,
    })
}

/// Puts what a query says into the message, but what the path has said already.
pub(super) fn fill(
    message: &mut DynamicMessage,
    pairs: &[(String, String)],
    bound: &[String],
) -> Result<(), ParamError> {
    let mut grouped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, word) in pairs {
        grouped.entry(name).or_default().push(word);
    }
    for (name, mut words) in grouped {
        // `events[x]=y` is another spelling of `events=x&events=y`.
        let name = match name.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
            Some((name, word)) => {
                words.insert(0, word);
                name
            }
            None => name,
        };
        let path: Vec<&str> = name.split('.').collect();
        let said = |other: &String| path.iter().copied().take(other.split('.').count()).eq(other.split('.'));
        if !bound.iter().any(said) {
            populate(message, &path, &words)?;
        }
    }
    Ok(())
}

fn populate(message: &mut DynamicMessage, path: &[&str], words: &[&str]) -> Result<(), ParamError> {
    let Some((name, rest)) = path.split_first() else { return Ok(()) };
    let kind = message.descriptor();
    let Some(field) = kind.get_field_by_name(name).or_else(|| kind.get_field_by_json_name(name)) else {
        return Ok(());
    };
    if let Some(oneof) = field.containing_oneof()
        && oneof.fields().any(|other| other != field && message.has_field(&other))
    {
        return Err(ParamError::Oneof(oneof.name().to_owned()));
    }
    let wrong = |error| ParamError::Query { name: (*name).to_owned(), error };
    let value = match (field.kind(), rest.first()) {
        (Kind::Message(_), Some(_)) if !field.is_list() && !field.is_map() => {
            return match message.get_field_mut(&field).as_message_mut() {
                Some(inner) => populate(inner, rest, words),
                None => Ok(()),
            };
        }
        (_, Some(next)) => return Err(ParamError::Nested(short(next))),
        (kind, None) if field.is_list() => {
            let values: Result<_, _> = words.iter().map(|word| scalar::parse(&kind, word)).collect();
            Value::List(values.map_err(wrong)?)
        }
        (kind, None) => scalar::parse(&kind, words.first().copied().unwrap_or_default()).map_err(wrong)?,
    };
    // The value is of the field's kind, so it is taken.
    message.try_set_field(&field, value).map_err(|_| wrong(ScalarError::Message(field.full_name().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> DynamicMessage {
        DynamicMessage::new(aceso_proto::pool().get_message_by_name(name).unwrap())
    }

    fn filled(name: &str, query: &[(&str, &str)], bound: &[&str]) -> Result<String, String> {
        let mut message = message(name);
        let pairs: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let bound: Vec<_> = bound.iter().map(|name| (*name).to_owned()).collect();
        fill(&mut message, &pairs, &bound).map_err(|e| e.to_string())?;
        Ok(message.fields().map(|(field, value)| format!("{}={value} ", field.name())).collect())
    }

    #[test]
    fn names_lead_into_messages() {
        let pages = "cosmos.bank.v1beta1.QueryAllBalancesRequest";
        let query = [("pagination.limit", "7"), ("pagination.key", "-_8="), ("pagination.countTotal", "1")];
        let told = filled(pages, &query, &[]).unwrap();
        assert_eq!(told, "pagination={key:\"\\373\\377\",limit:7,count_total:true} ");
        let query = [("address", "a"), ("address", "b"), ("nobody", "x"), ("pagination.nobody.else", "x")];
        assert_eq!(filled(pages, &query, &[]).unwrap(), "address=\"a\" pagination={} ");
        assert_eq!(filled(pages, &[("address", "b")], &["address"]).unwrap(), "");
        let list = "cosmos.bank.v1beta1.QuerySendEnabledRequest";
        assert_eq!(filled(list, &[("denoms", "a"), ("denoms", "b")], &[]).unwrap(), "denoms=[\"a\",\"b\"] ");
        assert_eq!(filled(list, &[("denoms[a]", "b")], &[]).unwrap(), "denoms=[\"a\",\"b\"] ");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let pages = "cosmos.bank.v1beta1.QueryAllBalancesRequest";
        for (name, word, said) in [
            ("pagination.limit", "x", "limit: \"x\" is no uint64"),
            ("pagination.key", "*", "key: \"*\" is not base64"),
            ("pagination", "x", "pagination: cosmos.base.query.v1beta1.PageRequest has no form as one word"),
            ("pagination[limit]", "5", "pagination: cosmos.base.query.v1beta1.PageRequest has no form as one word"),
            ("address.x", "x", "unexpected nested field \"x\""),
        ] {
            assert_eq!(filled(pages, &[(name, word)], &[]).unwrap_err(), said);
        }
        let sum = [("single.mode", "1"), ("multi.bitarray.elems", "AA==")];
        assert_eq!(filled("cosmos.tx.v1beta1.ModeInfo", &sum, &[]).unwrap_err(), "field already set for sum oneof");
        let mut request = message("cosmwasm.wasm.v1.QueryCodeRequest");
        let said = bind(&mut request, "code_id", "x").unwrap_err().to_string();
        assert_eq!(said, "type mismatch, parameter: code_id, error: \"x\" is no uint64");
    }
}
