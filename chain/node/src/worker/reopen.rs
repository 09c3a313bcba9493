//! What disputes open records with: the very function by which members compute what they sign.
//!
//! The application is given it when it is opened. The key is public from the moment in which it is shown, so nothing is
//! wiped here.

use aceso_app::{Reopen, Shown};
use aceso_seal::{Registered, outcome};
use aceso_types::sealed::{Failure, Outcome};
use aceso_verify::{grant::ContentPoint, outcome::Case};

/// See the module.
pub(crate) struct Reopening;

impl Reopen for Reopening {
    fn outcome(&self, shown: &Shown<'_>) -> Outcome {
        let Shown { statement, manifest, model, commitment, modality, body_part, effort, vouched, point, file } =
            *shown;
        let Ok(content) = ContentPoint::from_bytes(point) else { return Outcome::Failed(Failure::Key) };
        let about = Registered { owner: &statement.owner, commitment };
        let case = Case { statement, manifest, model, modality, body_part, effort, vouched };
        outcome(&about, &case, &content, file, file.len() as u64).outcome
    }
}
