//! Attributes of a node, each asked for by name and type; what nobody asked for is refused.
//!
//! An attribute that is not understood may change what a node computes, so there is no ignoring one.

use std::{cell::RefCell, collections::BTreeMap};

use super::pb::{AttributeProto, TensorProto};
use crate::error::NodeFault;

/// ONNX's numbers of attribute types (`AttributeProto.AttributeType`).
mod attribute_type {
    pub(super) const FLOAT: i32 = 1;
    pub(super) const INT: i32 = 2;
    pub(super) const STRING: i32 = 3;
    pub(super) const TENSOR: i32 = 4;
    pub(super) const INTS: i32 = 7;
}

/// Most numbers in a list: more than any operator here has dimensions.
const LIST_MAX: usize = 64;

pub(crate) struct Attributes<'a>(RefCell<BTreeMap<&'a str, &'a AttributeProto>>);

impl<'a> Attributes<'a> {
    pub(crate) fn new(all: &'a [AttributeProto]) -> Result<Self, NodeFault> {
        let mut map = BTreeMap::new();
        for attribute in all {
            let fault = |reason| NodeFault::Attribute { attribute: super::shown(&attribute.name), reason };
            if !attribute.ref_attr_name.is_empty() {
                return Err(fault("must not refer to a function's attribute"));
            }
            let strange = attribute.g.is_some()
                || attribute.tp.is_some()
                || attribute.sparse_tensor.is_some()
                || [&attribute.graphs, &attribute.tensors, &attribute.type_protos, &attribute.sparse_tensors]
                    .iter()
                    .any(|list| !list.is_empty());
            if strange {
                return Err(fault("must be numbers, text or a tensor, not a graph"));
            }
            if map.insert(attribute.name.as_str(), attribute).is_some() {
                return Err(fault("is given twice"));
            }
        }
        Ok(Self(RefCell::new(map)))
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, NodeFault> {
        self.one(name, attribute_type::INT, "must be an integer", |attribute| Some(attribute.i.unwrap_or(0)))
    }

    pub(crate) fn float(&self, name: &str) -> Result<Option<f32>, NodeFault> {
        self.one(name, attribute_type::FLOAT, "must be a float", |attribute| Some(attribute.f.unwrap_or(0.0)))
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, NodeFault> {
        self.one(name, attribute_type::INTS, "must be at most 64 integers", |attribute| {
            (attribute.ints.len() <= LIST_MAX).then(|| attribute.ints.clone())
        })
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, NodeFault> {
        self.one(name, attribute_type::STRING, "must be text", |attribute| {
            std::str::from_utf8(attribute.s.as_deref().unwrap_or_default()).ok()
        })
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<Option<&'a TensorProto>, NodeFault> {
        self.one(name, attribute_type::TENSOR, "must be a tensor", |attribute| attribute.t.as_ref())
    }

    /// A flag that must have this value where it is given.
    pub(crate) fn only(&self, name: &str, value: i64, reason: &'static str) -> Result<(), NodeFault> {
        match self.int(name)? {
            Some(given) if given != value => Err(NodeFault::Attribute { attribute: name.into(), reason }),
            _ => Ok(()),
        }
    }

    /// Refuses what was not asked for.
    pub(crate) fn finish(&self) -> Result<(), NodeFault> {
        match self.0.borrow().keys().next() {
            Some(&left) => {
                Err(NodeFault::Attribute { attribute: super::shown(left), reason: "is not known for this operator" })
            }
            None => Ok(()),
        }
    }

    fn one<T>(
        &self,
        name: &str,
        ty: i32,
        reason: &'static str,
        get: impl Fn(&'a AttributeProto) -> Option<T>,
    ) -> Result<Option<T>, NodeFault> {
        let Some(attribute) = self.0.borrow_mut().remove(name) else { return Ok(None) };
        match get(attribute) {
            Some(value) if attribute.r#type == ty => Ok(Some(value)),
            _ => Err(NodeFault::Attribute { attribute: name.into(), reason }),
        }
    }
}
