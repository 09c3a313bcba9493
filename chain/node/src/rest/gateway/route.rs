//! Which method a path asks: the `google.api.http` rules of the descriptors, in the order of their declaration.

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

/// The methods of HTTP that rules name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    /// Path and query are the request.
    Get,
    /// The body is.
    Post,
}

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) verb: Verb,
    /// As it was declared: `/cosmwasm/wasm/v1/code/{code_id}`.
    pub(super) template: String,
    /// For the router, which names variables by their place: `/cosmwasm/wasm/v1/code/{p0}`.
    pub(super) pattern: String,
    /// The fields that the variables are, by their place.
    pub(super) variables: Vec<String>,
    pub(super) method: MethodDescriptor,
}

impl Route {
    /// The path under which the method is asked over gRPC and ABCI.
    pub(super) fn path(&self) -> String {
        format!("/{}/{}", self.method.parent_service().full_name(), self.method.name())
    }
}

/// All routes that a set of descriptors declares, and the rules that are none.
pub(super) fn routes(pool: &DescriptorPool) -> (Vec<Route>, Vec<String>) {
    let (mut routes, mut refused) = (Vec::new(), Vec::new());
    let Some(extension) = pool.get_extension_by_name("google.api.http") else { return (routes, refused) };
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let options = method.options();
        if !options.has_extension(&extension) {
            continue;
        }
        let rule = options.get_extension(&extension).into_owned();
        let more = rule.as_message().and_then(|rule| rule.get_field_by_name("additional_bindings"));
        let more: Vec<Value> = more.and_then(|more| more.as_list().map(<[Value]>::to_vec)).unwrap_or_default();
        for rule in std::iter::once(&rule).chain(&more).filter_map(Value::as_message) {
            match route(&method, rule) {
                Some(route) => routes.push(route),
                None => refused.push(format!("{}: {rule}", method.full_name())),
            }
        }
    }
    (routes, refused)
}

fn route(method: &MethodDescriptor, rule: &DynamicMessage) -> Option<Route> {
    let text = |name: &str| {
        let value = rule.get_field_by_name(name)?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (verb, template) = match (text("get"), text("post"), text("body").as_deref()) {
        (Some(template), None, None) => (Verb::Get, template),
        (None, Some(template), Some("*")) => (Verb::Post, template),
        _ => return None,
    };
    let (mut pattern, mut variables) = (String::new(), Vec::new());
    for segment in template.strip_prefix('/')?.split('/') {
        let variable = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let place = variables.len();
        match variable.map(|inner| inner.split_once('=').unwrap_or((inner, "*"))) {
            None if segment.is_empty() || segment.contains(['{', '}', '*']) => return None,
            None => pattern.extend(["/", segment]),
            Some((name, "*")) => {
                pattern.push_str(&format!("/{{p{place}}}"));
                variables.push(name.to_owned());
            }
            Some((name, "**")) => {
                pattern.push_str(&format!("/{{*p{place}}}"));
                variables.push(name.to_owned());
            }
            Some(_) => return None,
        }
    }
    Some(Route { verb, template, pattern, variables, method: method.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_route_and_every_variable_a_field() {
        let (routes, refused) = routes(aceso_proto::pool());
        assert_eq!(refused, Vec::<String>::new());
        for route in &routes {
            for name in &route.variables {
                assert!(route.method.input().get_field_by_name(name).is_some(), "{}: {name}", route.template);
            }
        }
        let route = |path: &str| routes.iter().find(|route| route.template == path).unwrap();
        let smart = route("/cosmwasm/wasm/v1/contract/{address}/smart/{query_data}");
        assert_eq!(smart.pattern, "/cosmwasm/wasm/v1/contract/{p0}/smart/{p1}");
        assert_eq!(smart.path(), "/cosmwasm.wasm.v1.Query/SmartContractState");
        let denom = route("/cosmos/bank/v1beta1/denoms_metadata/{denom=**}");
        assert_eq!((denom.pattern.as_str(), denom.verb), ("/cosmos/bank/v1beta1/denoms_metadata/{*p0}", Verb::Get));
        assert_eq!(route("/cosmos/tx/v1beta1/simulate").verb, Verb::Post);
    }
}
