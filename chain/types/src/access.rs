//! Who may do something with code, as the chain's parameters have it (wasmd `AccessConfig`).

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize};

/// Most addresses that one permission names (wasmd `MaxAddressCount`).
pub const ADDRESSES_MAX: usize = 50;

/// Kinds of permissions, by the names that wasmd's JSON has for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// Only the chain's authority.
    Nobody,
    /// Whoever pays for it.
    #[default]
    Everybody,
    /// Those whose addresses are named; where none can be named, whoever stores the code.
    AnyOfAddresses,
}

/// A permission with the addresses that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Its kind.
    pub permission: Permission,
    /// The accounts, of [`Permission::AnyOfAddresses`] alone.
    pub addresses: Vec<String>,
}

impl Access {
    /// A permission that names nobody.
    pub fn plain(permission: Permission) -> Self {
        Self { permission, addresses: Vec::new() }
    }

    /// Whether an account may. The authority may always; that is asked elsewhere.
    pub fn admits(&self, address: &str) -> bool {
        match self.permission {
            Permission::Nobody => false,
            Permission::Everybody => true,
            Permission::AnyOfAddresses => self.addresses.iter().any(|one| one == address),
        }
    }
}

/// Rows and genesis files from before there were addresses have a truth value: everybody or nobody.
impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, deny_unknown_fields)]
        enum Form {
            Whether(bool),
            Who {
                permission: Permission,
                #[serde(default)]
                addresses: Vec<String>,
            },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Whether(true) => Self::plain(Permission::Everybody),
            Form::Whether(false) => Self::plain(Permission::Nobody),
            Form::Who { permission, addresses } => Self { permission, addresses },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_read_in_both_forms() {
        let read = |text: &str| serde_json::from_str::<Access>(text);
        assert_eq!(read("true").unwrap(), Access::default());
        assert_eq!(read("false").unwrap(), Access::plain(Permission::Nobody));
        let some = read(r#"{"permission":"AnyOfAddresses","addresses":["a"]}"#).unwrap();
        assert_eq!([some.admits("a"), some.admits("b")], [true, false]);
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"{"permission":"AnyOfAddresses","addresses":["a"]}"#);
        for text in ["1", r#"{"permission":"Somebody"}"#, r#"{"permission":"Nobody","who":1}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
