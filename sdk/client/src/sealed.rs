//! Messages about sealed records, with their proofs: a reader's key, a record's registration, a grant; and the point that is
//! shown in a dispute.
//!
//! Whoever does not want her records to have an owner in common registers each in the name of an account of its own, which
//! follows from her key store (`aceso_seal::KeyStore::account`), makes a [`Key`](crate::Key) of it, and has a sponsor pay
//! ([`crate::allowance`], [`Client::send_sponsored`](crate::Client::send_sponsored)); she grants in the same name.
//!
//! Secrets come in and stay here; what goes out may be seen by everybody. Each call takes 64 fresh random bytes, which are
//! mixed with the secret and the statement ([`aceso_verify::grant`]).

use aceso_types::{
    Digest,
    msg::{MsgDispute, MsgGrant, MsgRegisterReader, MsgRegisterSealed, PassedOn, Recipient, SealedFile},
    query::{GrantRow, ReaderRow, RecordRow},
    sealed::{Terms, VERSION, reader_context, recipients_digest, record_name, source_digest},
};
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, GrantError, Granted, Opened, Opening, PublicKey, Registered, Registration,
    SecretKey, Wrap,
};

use crate::ClientError;

/// The key of an account's epoch; an epoch is the number of keys before. It ends at a second of Unix time.
pub fn register_reader(
    chain_id: &str,
    account: &str,
    epoch: u64,
    expires: u64,
    key: &SecretKey,
    entropy: &Entropy,
) -> MsgRegisterReader {
    let context = reader_context(chain_id, account, epoch, expires);
    MsgRegisterReader {
        account: account.into(),
        epoch,
        key: key.public().to_bytes().into(),
        expires,
        possession: key.possession(&context.0, entropy).to_bytes().into(),
    }
}

/// The registration of files that are sealed under one point, by the owner's key of just this record. No guard and no
/// origin are named.
pub fn register(
    chain_id: &str,
    owner: &str,
    files: Vec<SealedFile>,
    key: &SecretKey,
    content: &ContentPoint,
    entropy: &Entropy,
) -> MsgRegisterSealed {
    let commitment = content.commitment();
    let about = Registered { chain_id, cid: &name_of(&files), owner, commitment: &commitment };
    let registration = Registration::new(&about, key, content, entropy);
    MsgRegisterSealed {
        owner: owner.into(),
        files,
        guard: String::new(),
        registration: registration.to_bytes().into(),
        commitment: commitment.0.into(),
        origin: None,
    }
}

/// What a grant says, before it is proven.
#[derive(Clone, Copy, Debug)]
pub struct Giving<'a> {
    /// The chain.
    pub chain_id: &'a str,
    /// Who grants.
    pub granter: &'a str,
    /// How many grants this account has given before, plus 1.
    pub number: u64,
    /// The record, as the chain has it.
    pub record: &'a RecordRow,
    /// The grant that is passed on, the granter's place in it, and its terms where they allow that; none for the owner.
    pub from: Option<(&'a GrantRow, u32, Option<&'a Terms>)>,
    /// For whom, as the chain has their keys.
    pub to: &'a [ReaderRow],
    /// Whether they are a committee.
    pub committee: bool,
    /// The second at which it ends.
    pub expires: u64,
    /// What it allows.
    pub terms: &'a Terms,
}

impl Giving<'_> {
    /// The message. `key` is the owner's of this record, or the one for which `from` was wrapped; `nonce` is used once.
    ///
    /// # Errors
    /// [`ClientError::Grant`] if rows hold no points, or nobody or too many are meant.
    pub fn prove(&self, key: &SecretKey, nonce: [u8; 16], entropy: &Entropy) -> Result<MsgGrant, ClientError> {
        let (source, sealed) = self.source()?;
        let members: Vec<PublicKey> =
            self.to.iter().map(|row| PublicKey::from_bytes(&row.key)).collect::<Result<_, _>>()?;
        let rows = self.to.iter().map(|row| (row.account.as_str(), row.epoch, row.key.as_slice()));
        let terms = self.terms.digest(self.expires);
        let about = Granted {
            chain_id: self.chain_id,
            version: VERSION,
            source: &source,
            cid: &name_of(&self.record.files),
            owner: &self.record.owner,
            grant: self.number,
            nonce: &nonce,
            epoch: self.to.first().map_or(0, |row| row.epoch),
            committee: &recipients_digest(rows),
            terms: &terms,
        };
        let wrap = Wrap::new(&about, key, &sealed, &members, entropy)?;
        let recipient = |row: &ReaderRow| Recipient { account: row.account.clone(), epoch: row.epoch };
        Ok(MsgGrant {
            granter: self.granter.into(),
            grant: self.number,
            record: self.record.record,
            from: self.from.and_then(|(row, place, _)| {
                let source = row.grant.as_ref()?;
                Some(PassedOn { granter: source.granter.clone(), grant: source.grant, place })
            }),
            recipients: self.to.iter().map(recipient).collect(),
            committee: self.committee,
            nonce: nonce.into(),
            expires: self.expires,
            terms: terms.0.into(),
            wrap: wrap.to_bytes(),
            source_terms: self.from.and_then(|(_, _, terms)| terms).map(Terms::encode).unwrap_or_default(),
        })
    }

    /// What the key comes from: its digest, and the ciphertext for the granter's key.
    fn source(&self) -> Result<(Digest, Ciphertext), ClientError> {
        let Some((row, place, _)) = self.from else {
            let registration = &self.record.registration;
            return Ok((source_digest(registration), Registration::from_bytes(registration)?.sealed));
        };
        let wrap = row.grant.as_ref().map(|grant| grant.wrap.as_slice()).unwrap_or_default();
        let members = Wrap::from_bytes(wrap)?;
        let nowhere =
            GrantError::Members { most: members.members(), got: usize::try_from(place).unwrap_or(usize::MAX) };
        let sealed = usize::try_from(place).ok().and_then(|place| members.of(place)).ok_or(nowhere)?;
        Ok((source_digest(wrap), sealed))
    }
}

/// One of a record's ciphertexts that a key opens.
#[derive(Clone, Copy, Debug)]
pub struct Opens<'a> {
    key: &'a SecretKey,
    sealed: Ciphertext,
    /// The grant and the place in it; none for the registration.
    from: Option<(&'a MsgGrant, u32)>,
}

impl<'a> Opens<'a> {
    /// The ciphertext that is for this key: the owner's of this record or, in a grant of it, a member's at whatever place. Of a
    /// grant the places' keys are asked for, as the chain has them. None where nothing is for this key.
    ///
    /// # Errors
    /// [`ClientError::Grant`] if the rows hold no points; what `key_of` says.
    pub fn find(
        record: &RecordRow,
        grant: Option<&'a GrantRow>,
        key: &'a SecretKey,
        key_of: impl Fn(&Recipient) -> Result<Vec<u8>, ClientError>,
    ) -> Result<Option<Self>, ClientError> {
        let public = key.public();
        let Some(row) = grant else {
            let Registration { key: owner, sealed, .. } = Registration::from_bytes(&record.registration)?;
            return Ok((owner == public).then_some(Self { key, sealed, from: None }));
        };
        let Some(said) = row.grant.as_ref().filter(|said| said.record == record.record) else { return Ok(None) };
        let wrap = Wrap::from_bytes(&said.wrap)?;
        for (place, recipient) in (0_u32..).zip(&said.recipients) {
            let sealed = usize::try_from(place).ok().and_then(|place| wrap.of(place));
            if key_of(recipient)? == public.to_bytes()
                && let Some(sealed) = sealed
            {
                return Ok(Some(Self { key, sealed, from: Some((said, place)) }));
            }
        }
        Ok(None)
    }

    /// What it holds.
    pub fn content(&self) -> ContentPoint {
        self.sealed.open(self.key)
    }

    /// Has a job done again by everybody. The record's secrecy ends with it: whoever sees the transaction, in a block or
    /// before, opens all that is sealed under the point.
    pub fn dispute(&self, chain_id: &str, sender: &str, job: u64, entropy: &Entropy) -> MsgDispute {
        let (content, proof) = Opening::new(&Opened { chain_id, job }, self.key, &self.sealed, entropy);
        let from =
            |(said, place): (&MsgGrant, u32)| PassedOn { granter: said.granter.clone(), grant: said.grant, place };
        MsgDispute {
            sender: sender.into(),
            job,
            point: content.to_bytes().to_vec(),
            from: self.from.map(from),
            proof: proof.to_bytes().into(),
        }
    }
}

fn name_of(files: &[SealedFile]) -> String {
    let cids: Vec<String> = files.iter().map(|file| file.cid.clone()).collect();
    record_name(&cids)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "clinic-1";

    fn key(number: u8) -> SecretKey {
        SecretKey::derive(&[number; 32], b"test", b"context").unwrap()
    }

    fn terms() -> Terms {
        aceso_test_support::terms(&["aceso1physician"])
    }

    fn row(number: u8, account: &str) -> ReaderRow {
        let msg = register_reader(CHAIN, account, 0, 9, &key(number), &[1; 64]);
        ReaderRow { account: account.into(), epoch: 0, key: msg.key, expires: msg.expires }
    }

    #[test]
    fn what_is_registered_is_given_and_passed_on() {
        let content = ContentPoint::generate(&[5; 64]);
        let file = SealedFile { cid: "bafy".into(), size: 1, ..SealedFile::default() };
        let msg = register(CHAIN, "patient", vec![file], &key(1), &content, &[2; 64]);
        let record = RecordRow {
            record: 3,
            owner: msg.owner,
            files: msg.files,
            registration: msg.registration,
            commitment: msg.commitment,
            ..RecordRow::default()
        };
        let (to, terms) = ([row(2, "one"), row(3, "two")], terms());
        let giving = Giving {
            chain_id: CHAIN,
            granter: "patient",
            number: 1,
            record: &record,
            from: None,
            to: &to,
            committee: false,
            expires: 7,
            terms: &terms,
        };
        let given = giving.prove(&key(1), [9; 16], &[3; 64]).unwrap();
        assert_eq!((given.record, given.recipients.len(), given.source_terms.len()), (3, 2, 0));
        assert_eq!(given.terms, terms.digest(7).0);
        let row_of = GrantRow { grant: Some(given), ..GrantRow::default() };
        let third = [row(4, "three")];
        let on = Giving { granter: "two", from: Some((&row_of, 1, Some(&terms))), to: &third, ..giving };
        let passed = on.prove(&key(3), [8; 16], &[4; 64]).unwrap();
        let from = passed.from.clone().map(|from| (from.granter, from.grant, from.place));
        assert_eq!(from, Some(("patient".into(), 1, 1)));
        assert_eq!(passed.source_terms, terms.encode());
        let row_on = GrantRow { grant: Some(passed), ..GrantRow::default() };
        let keys = [("one", 2), ("two", 3), ("three", 4)];
        let key_of = |one: &Recipient| {
            let (_, number) = keys.into_iter().find(|(account, _)| *account == one.account).unwrap();
            Ok(key(number).public().to_bytes().to_vec())
        };
        let about = Opened { chain_id: CHAIN, job: 5 };
        for (grant, holder, at) in
            [(None, 1, None), (Some(&row_of), 2, Some(0)), (Some(&row_of), 3, Some(1)), (Some(&row_on), 4, Some(0))]
        {
            let secret = key(holder);
            let opens = Opens::find(&record, grant, &secret, key_of).unwrap().unwrap();
            assert_eq!(opens.content(), content);
            let said = opens.dispute(CHAIN, "two", 5, &[6; 64]);
            assert_eq!((said.sender.as_str(), said.job, &said.point[..]), ("two", 5, &content.to_bytes()[..]));
            assert_eq!(said.from.map(|from| from.place), at);
            let proof = Opening::from_bytes(&said.proof).unwrap();
            assert_eq!(proof.check(&about, &secret.public(), &opens.sealed, &content), Ok(()));
        }
        for (grant, other) in [(None, 2), (Some(&row_of), 1), (Some(&row_on), 3)] {
            assert!(Opens::find(&record, grant, &key(other), key_of).unwrap().is_none());
        }
        let elsewhere = RecordRow { record: 4, ..record.clone() };
        assert!(Opens::find(&elsewhere, Some(&row_of), &key(2), key_of).unwrap().is_none());
        let unknown = |_: &Recipient| Err(ClientError::from(GrantError::Zero));
        assert!(Opens::find(&record, Some(&row_of), &key(2), unknown).is_err());
    }

    #[test]
    fn rows_that_hold_no_points() {
        let (record, terms) = (RecordRow::default(), terms());
        let giving = Giving {
            chain_id: CHAIN,
            granter: "patient",
            number: 1,
            record: &record,
            from: None,
            to: &[],
            committee: false,
            expires: 7,
            terms: &terms,
        };
        let refused = giving.prove(&key(1), [9; 16], &[3; 64]).unwrap_err().to_string();
        expect_test::expect!["a registration has 240 bytes, and 0 came"].assert_eq(&refused);
    }
}
