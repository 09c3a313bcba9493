//! The signatures of a transaction in a file, each at the place of the account that it is of.
//!
//! What stands beside a signature is under every direct one, so an account that signs directly does so last, when all
//! others have signed. The document of hardware wallets (`SIGN_MODE_LEGACY_AMINO_JSON`) knows nothing of the others: it is
//! signed in any order.

use aceso_app::paper::{Paper, address_of};
use aceso_client::{Account, Draft, Key};
use anyhow::{Context, Result, anyhow, ensure};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        crypto::multisig::{
            LegacyAminoPubKey,
            v1beta1::{CompactBitArray, MultiSignature},
        },
        tx::{
            signing::v1beta1::{
                SignMode, SignatureDescriptor,
                signature_descriptor::{Data, data},
            },
            v1beta1::{ModeInfo, SignerInfo, Tx, mode_info},
        },
    },
};
use prost::{Message, Name};

use crate::address::prefix_of;

/// A signature, and what stands beside it.
pub(super) type Signed = (SignerInfo, Vec<u8>);
/// The same without key and sequence.
type Part = (ModeInfo, Vec<u8>);

/// A transaction whose signatures come one after the other.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    draft: Draft,
    /// Who has to sign, in their order.
    signers: Vec<String>,
    /// By whom it is signed, at the same places.
    signed: Vec<Option<Signed>>,
}

impl Gathered {
    /// Reads a transaction with the signatures that it has, or without them.
    pub(super) fn of(tx: &Tx, overwrite: bool) -> Result<Self> {
        let draft = Draft::of(tx).context("it has no body or no fee")?;
        let signers = paper(&draft.unsigned())?.signers().map_err(anyhow::Error::msg)?;
        let mut gathered = Self { signed: vec![None; signers.len()], draft, signers };
        if overwrite {
            return Ok(gathered);
        }
        let infos = tx.auth_info.as_ref().map_or(&[][..], |auth| &auth.signer_infos);
        let (count, known) = (tx.signatures.len(), infos.len());
        ensure!(
            count == known,
            "it has {count} signatures and says of {known} whose they are; --overwrite leaves them out"
        );
        for (number, (info, bytes)) in infos.iter().zip(&tx.signatures).enumerate() {
            // A place that was kept free.
            if bytes.is_empty() {
                continue;
            }
            let key = info.public_key.as_ref();
            let key = key.with_context(|| format!("no public key stands beside signature {number}"))?;
            let owner = address_of(key, gathered.prefix()).map_err(anyhow::Error::msg)?;
            let place = gathered.place(&owner).with_context(|| format!("signature {number}"))?;
            if let Some(slot) = gathered.signed.get_mut(place) {
                *slot = Some((info.clone(), bytes.clone()));
            }
        }
        Ok(gathered)
    }

    /// What addresses begin with on the chain that it is for.
    pub(super) fn prefix(&self) -> &str {
        self.signers.first().map_or("", |signer| prefix_of(signer))
    }

    /// Where an account signs.
    pub(super) fn place(&self, account: &str) -> Result<usize> {
        let place = self.signers.iter().position(|signer| signer == account);
        place.with_context(|| format!("{account} does not sign this transaction; {} does", self.signers.join(" and ")))
    }

    /// How an account signs where nothing is said: directly, if it is alone.
    pub(super) fn mode(&self) -> SignMode {
        if self.signers.len() == 1 { SignMode::Direct } else { SignMode::LegacyAminoJson }
    }

    /// One key's signature for the account at a place.
    pub(super) fn sign(
        &self,
        place: usize,
        key: &Key,
        mode: SignMode,
        chain_id: &str,
        account: &Account,
    ) -> Result<Signed> {
        let (public_key, sequence) = (Some(key.packed()), account.sequence);
        let info = SignerInfo { public_key, mode_info: Some(single(mode.into())), sequence };
        let document = if mode == SignMode::Direct {
            let mut infos = Vec::new();
            for (other, (signer, signed)) in self.signers.iter().zip(&self.signed).enumerate() {
                let beside = signed.as_ref().map(|(info, _)| info.clone());
                infos.push(Some(info.clone()).filter(|_| other == place).or(beside).with_context(|| {
                    format!(
                        "{signer} has not signed yet, and who signs directly is the last; say --sign-mode amino-json"
                    )
                })?);
            }
            self.draft.direct(infos, chain_id, account.number)
        } else {
            let document = paper(&self.draft.unsigned())?.amino(chain_id, account.number, account.sequence);
            document.map_err(anyhow::Error::msg)?
        };
        let signature = key.sign(&document);
        Ok((info, signature))
    }

    /// Puts a signature at its place, and keeps those of others.
    pub(super) fn put(&mut self, place: usize, signed: Signed) -> Result<()> {
        let before = self.tx().auth_info;
        let Some(slot) = self.signed.get_mut(place) else { return Err(anyhow!("nobody has to sign there")) };
        *slot = Some(signed);
        if self.tx().auth_info == before {
            return Ok(());
        }
        for (other, (signer, signed)) in self.signers.iter().zip(&self.signed).enumerate() {
            let direct = signed.as_ref().is_some_and(|(info, _)| is_direct(info.mode_info.as_ref()));
            ensure!(
                other == place || !direct,
                "{signer} has signed directly, which holds for no other signature beside it than those that were there; \
                 --overwrite leaves it out, and it signs again as the last"
            );
        }
        Ok(())
    }

    /// Who has not signed yet, and where.
    pub(super) fn missing(&self) -> Option<(usize, &str)> {
        let place = self.signed.iter().position(Option::is_none)?;
        Some((place, self.signers.get(place)?))
    }

    /// The transaction as a simulation takes it: nobody has signed, each account is at its sequence.
    pub(super) fn simulated(&self, sequence: impl Fn(&str) -> Result<u64>) -> Result<Tx> {
        let mode_info = single(SignMode::Unspecified.into());
        let signed = self.signers.iter().map(|signer| {
            let info = SignerInfo { public_key: None, mode_info: Some(mode_info.clone()), sequence: sequence(signer)? };
            Ok((info, Vec::new()))
        });
        Ok(self.draft.with(signed.collect::<Result<_>>()?))
    }

    /// The transaction with each signature at its place, and nothing where one is missing: it is checked so.
    pub(super) fn with_gaps(&self) -> Tx {
        self.draft.with(self.signed.iter().map(|signed| signed.clone().unwrap_or_default()).collect())
    }

    /// The transaction with the signatures that there are.
    pub(super) fn tx(&self) -> Tx {
        self.draft.with(self.signed.iter().flatten().cloned().collect())
    }
}

/// A transaction as the chain reads it.
pub(super) fn paper(tx: &Tx) -> Result<Paper> {
    Paper::read(&tx.encode_to_vec()).map_err(|reason| anyhow!("no chain of this release takes it: {reason}"))
}

/// A signature as it goes from one to another without its transaction.
pub(super) fn describe((info, signature): &Signed) -> SignatureDescriptor {
    let mode = match info.mode_info.as_ref().and_then(|info| info.sum.as_ref()) {
        Some(mode_info::Sum::Single(single)) => single.mode,
        _ => SignMode::Unspecified.into(),
    };
    let sum = Some(data::Sum::Single(data::Single { mode, signature: signature.clone() }));
    SignatureDescriptor { public_key: info.public_key.clone(), data: Some(Data { sum }), sequence: info.sequence }
}

/// Signatures of keys of one account, of which some may be keys of several again.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(Any, Part)>);

impl Members {
    /// Adds a member's signature; none where there is nothing in it.
    pub(super) fn add(&mut self, one: SignatureDescriptor) -> Option<()> {
        let signed = part(one.data?)?;
        self.0.push((one.public_key?, signed));
        Some(())
    }

    /// The signature of a key of several by those of its members that have signed. A member that is of several itself, and
    /// of which too few have, has not.
    ///
    /// # Errors
    /// Where the key is not of several.
    pub(super) fn of(&self, key: &Any) -> Result<Part> {
        let LegacyAminoPubKey { public_keys, .. } = several(key).context("it is no key of several")?;
        let mut elems = vec![0; public_keys.len().div_ceil(8)];
        let (mut mode_infos, mut signatures) = (Vec::new(), Vec::new());
        for (place, member) in public_keys.iter().enumerate() {
            let Some((mode_info, signature)) = self.member(member) else { continue };
            if let Some(byte) = elems.get_mut(place / 8) {
                *byte |= 0x80_u8 >> (place % 8);
            }
            mode_infos.push(mode_info);
            signatures.push(signature);
        }
        let extra_bits_stored = u32::try_from(public_keys.len() % 8)?;
        let bitarray = Some(CompactBitArray { extra_bits_stored, elems });
        Ok(joined(bitarray, mode_infos, signatures))
    }

    fn member(&self, key: &Any) -> Option<Part> {
        // The latest counts.
        if let Some((_, part)) = self.0.iter().rev().find(|(member, _)| member == key) {
            return Some(part.clone());
        }
        let threshold = several(key)?.threshold as usize;
        let (mode_info, signature) = self.of(key).ok()?;
        let Some(mode_info::Sum::Multi(multi)) = &mode_info.sum else { return None };
        (multi.mode_infos.len() >= threshold).then_some((mode_info, signature))
    }
}

/// Whether a key is in a key of several, or in one that is.
pub(super) fn is_member(key: &Any, of: &Any) -> bool {
    several(of).is_some_and(|of| of.public_keys.iter().any(|member| member == key || is_member(key, member)))
}

/// Keys of several are inside each other as deep as the chain takes them, since they are read as it does.
fn several(key: &Any) -> Option<LegacyAminoPubKey> {
    let is_one = key.type_url == LegacyAminoPubKey::type_url();
    is_one.then(|| LegacyAminoPubKey::decode(&key.value[..]).ok()).flatten()
}

fn part(data: Data) -> Option<Part> {
    match data.sum? {
        data::Sum::Single(one) => Some((single(one.mode), one.signature)),
        data::Sum::Multi(several) => {
            let parts: Option<Vec<Part>> = several.signatures.into_iter().map(part).collect();
            let (mode_infos, signatures) = parts?.into_iter().unzip();
            Some(joined(several.bitarray, mode_infos, signatures))
        }
    }
}

fn joined(bitarray: Option<CompactBitArray>, mode_infos: Vec<ModeInfo>, signatures: Vec<Vec<u8>>) -> Part {
    let mode_info = ModeInfo { sum: Some(mode_info::Sum::Multi(mode_info::Multi { bitarray, mode_infos })) };
    (mode_info, MultiSignature { signatures }.encode_to_vec())
}

fn single(mode: i32) -> ModeInfo {
    ModeInfo { sum: Some(mode_info::Sum::Single(mode_info::Single { mode })) }
}

fn is_direct(info: Option<&ModeInfo>) -> bool {
    match info.and_then(|info| info.sum.as_ref()) {
        Some(mode_info::Sum::Single(single)) => single.mode == i32::from(SignMode::Direct),
        Some(mode_info::Sum::Multi(multi)) => multi.mode_infos.iter().any(|info| is_direct(Some(info))),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use aceso_client::cosmos_any;
    use cosmos_sdk_proto::cosmos::{
        bank::v1beta1::MsgSend,
        base::v1beta1::Coin,
        tx::v1beta1::{Fee, TxBody},
    };

    use super::*;

    const CHAIN: &str = "c-1";

    fn key(seed: u8) -> Key {
        Key::from_bytes(&[seed; 32]).unwrap()
    }

    fn account(number: u64) -> Account {
        Account { number, sequence: 5 }
    }

    /// Coins of the first key, for whose way the second one pays.
    fn of_two() -> Tx {
        let [from_address, payer] = [1, 2].map(|seed| key(seed).address("aceso"));
        let amount = vec![Coin { denom: "uaceso".into(), amount: "1".into() }];
        let send = MsgSend { from_address, to_address: payer.clone(), amount };
        let body = TxBody { messages: vec![cosmos_any(&send)], ..TxBody::default() };
        Draft { body, fee: Fee { gas_limit: 9, payer, ..Fee::default() } }.unsigned()
    }

    fn check(tx: &Tx) -> Vec<Result<(), String>> {
        let paper = paper(tx).unwrap();
        let standing = |number| aceso_app::paper::Standing { chain_id: CHAIN, number, sequence: 5 };
        (0..2).map(|place| paper.check(place, standing(place as u64))).collect()
    }

    fn signed(tx: &Tx, seed: u8, mode: SignMode) -> Result<Tx> {
        let mut gathered = Gathered::of(tx, false)?;
        let place = gathered.place(&key(seed).address("aceso"))?;
        let one = gathered.sign(place, &key(seed), mode, CHAIN, &account(place as u64))?;
        gathered.put(place, one)?;
        Ok(gathered.tx())
    }

    #[test]
    fn signatures_stand_at_their_places_in_whichever_order_they_come() {
        let (amino, direct) = (SignMode::LegacyAminoJson, SignMode::Direct);
        for order in [[(1, amino), (2, amino)], [(2, amino), (1, amino)], [(2, amino), (1, direct)]] {
            let half = signed(&of_two(), order[0].0, order[0].1).unwrap();
            assert!(check(&half).iter().any(Result::is_err), "{order:?}");
            let whole = signed(&half, order[1].0, order[1].1).unwrap();
            assert_eq!(check(&whole), [Ok(()), Ok(())], "{order:?}");
            // Who signs again, signs instead.
            let again = signed(&whole, order[1].0, order[1].1).unwrap();
            assert_eq!(again, whole, "{order:?}");
        }
        assert_eq!(Gathered::of(&of_two(), false).unwrap().mode(), amino);
    }

    #[test]
    fn what_would_not_hold_is_not_made() {
        let (amino, direct) = (SignMode::LegacyAminoJson, SignMode::Direct);
        let words = |made: Result<Tx>| made.unwrap_err().to_string();
        assert!(words(signed(&of_two(), 1, direct)).contains("has not signed yet, and who signs directly is the last"));
        assert!(words(signed(&of_two(), 3, amino)).contains("does not sign this transaction"));
        let half = signed(&of_two(), 2, amino).unwrap();
        let whole = signed(&half, 1, direct).unwrap();
        assert!(words(signed(&whole, 2, direct)).contains("has signed directly"));
        let mut odd = whole.clone();
        odd.signatures.pop();
        assert!(words(signed(&odd, 1, amino)).contains("1 signatures and says of 2"));
        assert_eq!(Gathered::of(&odd, true).unwrap().tx(), of_two(), "--overwrite leaves them out");
        let mut strange = half;
        strange.auth_info.as_mut().unwrap().signer_infos[0].public_key = Some(key(3).packed());
        assert!(words(signed(&strange, 1, amino)).contains("signature 0"));
        strange.auth_info.as_mut().unwrap().signer_infos[0].public_key = None;
        assert!(words(signed(&strange, 1, amino)).contains("no public key stands beside signature 0"));
        assert!(Gathered::of(&Tx::default(), false).is_err());
    }

    #[test]
    fn a_member_may_be_of_several_itself() {
        let of = |threshold, keys: &[Any]| cosmos_any(&LegacyAminoPubKey { threshold, public_keys: keys.to_vec() });
        let [one, two, three] = [1, 2, 3].map(|seed| key(seed).packed());
        let inner = of(2, &[one.clone(), two.clone()]);
        let outer = of(1, &[three.clone(), inner.clone()]);
        assert!(is_member(&one, &outer) && is_member(&inner, &outer) && !is_member(&key(4).packed(), &outer));
        let descriptor = |key: &Any, sum| SignatureDescriptor {
            public_key: Some(key.clone()),
            data: Some(Data { sum: Some(sum) }),
            sequence: 0,
        };
        let plain = |byte| data::Sum::Single(data::Single { mode: 127, signature: vec![byte] });
        let bits = |(info, _): Part| match info.sum.unwrap() {
            mode_info::Sum::Multi(multi) => (multi.bitarray.unwrap().elems[0], multi.mode_infos.len()),
            mode_info::Sum::Single(_) => panic!("one signature"),
        };
        let mut members = Members::default();
        members.add(descriptor(&one, plain(7))).unwrap();
        assert_eq!(bits(members.of(&outer).unwrap()), (0, 0), "one of the two is none");
        members.add(descriptor(&two, plain(8))).unwrap();
        let (info, bytes) = members.of(&outer).unwrap();
        assert_eq!(bits((info.clone(), bytes.clone())), (0b0100_0000, 1));
        // The same as another program that has put the inner ones together hands it over.
        let (inner_info, _) = members.of(&inner).unwrap();
        let Some(mode_info::Sum::Multi(multi)) = inner_info.sum else { panic!("one signature") };
        let signatures = [7, 8].map(|byte| Data { sum: Some(plain(byte)) }).to_vec();
        let mut ready = Members::default();
        let put = data::Sum::Multi(data::Multi { bitarray: multi.bitarray, signatures });
        ready.add(descriptor(&inner, put)).unwrap();
        assert_eq!(ready.of(&outer).unwrap(), (info, bytes));
        assert!(members.add(SignatureDescriptor::default()).is_none() && members.of(&one).is_err());
    }
}
