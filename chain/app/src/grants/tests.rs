//! The two implementations against each other: what `sdk/verify` makes and checks, and what is checked here.

use aceso_verify::grant::{
    self as other, ContentPoint, Entropy, GrantError, Possession, PublicKey, Registration, SecretKey, Wrap,
};
use proptest::prelude::*;

use super::*;
