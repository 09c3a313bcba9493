//! The patient loses her device, and with it her key store. Two of three guardians bring it back; one alone cannot, and
//! none of them sees anything of it.

use aceso_client::{any, random, sealed::register_reader};
use aceso_seal::KeyStore;
use aceso_types::{
    BlobId,
    query::{QueryGrant, QueryReader},
    sealed::Terms,
};
use aceso_verify::grant::{
    ContentPoint, Deal, Dealt, Handed, PublicKey, Registered, Registration, SecretKey, Share, Wrap,
};
use anyhow::{Context, Result, bail, ensure};

use super::patient::{Patient, Record, now, secret, terms};
use crate::{
    play::Scene,
    report::{Came, Expected, Report},
};

/// Guardians, and how many of them it takes.
const GUARDIANS: usize = 3;
const THRESHOLD: usize = 2;
/// Seconds for which a reader's key is registered.
const WEEK: u64 = 7 * 24 * 3600;

/// What lies with others: the sealed store, its key sealed for a secret that was dealt, and the deal.
struct Kept {
    store: BlobId,
    registration: Registration,
    deal: Deal,
    version: u64,
}

/// Plays it. The store that comes back opens `record` for one more reader.
pub(super) fn play(report: &mut Report, scene: &Scene, patient: &mut Patient<'_>, record: &Record) -> Result<()> {
    let name = patient.party.name;
    let (chain_id, owner) = (patient.party.chain().id.clone(), patient.party.address.clone());
    let guardians = (0..GUARDIANS).map(|_| secret()).collect::<Result<Vec<SecretKey>>>()?;
    let about = |version| Dealt { chain_id: &chain_id, owner: &owner, version };

    let (kept, sealed) = report.step(name, "seals her key store, and deals its key to three guardians", || {
        let keys: Vec<PublicKey> = guardians.iter().map(SecretKey::public).collect();
        let (content, dealt) = (ContentPoint::generate(&random()?), secret()?);
        let sealed = patient.store.seal(&content, &owner, random()?)?;
        let (store, _) = patient.party.put_blob(&sealed[..])?;
        let (cid, commitment) = (store.to_string(), content.commitment());
        let named = Registered { chain_id: &chain_id, cid: &cid, owner: &owner, commitment: &commitment };
        let registration = Registration::new(&named, &dealt, &content, &random()?);
        let version = patient.store.version();
        let deal = Deal::new(&about(version), &dealt, THRESHOLD, &keys, &random()?)?;
        deal.check(&about(version), &keys)?;
        Ok(((Kept { store, registration, deal, version }, sealed), None))
    })?;
    let about = about(kept.version);
    // Her old device is gone with all that was on it; the new one has a key to collect shares with.
    patient.store = KeyStore::new(random()?);
    let device = secret()?;
    let hand = |places: &[u8]| -> Result<Vec<Share>> {
        let hand = |&place: &u8| -> Result<Share> {
            let guardian = guardians.get(usize::from(place) - 1).context("there is no such guardian")?;
            let share = kept.deal.open(&about, place, guardian)?;
            let handed = kept.deal.hand(&about, &share, &device.public(), &random()?).to_bytes();
            Ok(kept.deal.receive(&about, &Handed::from_bytes(&handed)?, &device)?)
        };
        places.iter().map(hand).collect()
    };
    let expected = Expected { code: None, words: "2" };
    report.refusal(
        "one guardian alone brings nothing back",
        &expected,
        || Ok(()),
        || match kept.deal.recover(&hand(&[2])?) {
            Err(error) => Ok(Came { code: None, message: error.to_string() }),
            Ok(_) => bail!("one share was enough"),
        },
    )?;
    report.step(name, "loses her device; two guardians bring the store back", || {
        let dealt = kept.deal.recover(&hand(&[3, 1])?)?;
        let content = kept.registration.sealed.open(&dealt);
        ensure!(BlobId::of_raw(&sealed) == kept.store, "the store's file is another one");
        patient.store = KeyStore::open(&content, &sealed, kept.version)?;
        let key = patient.store.key(&record.image.to_string())?.public().to_bytes();
        ensure!(record.row.registration.starts_with(&key), "the key is not the one that she has registered");
        Ok(((), None))
    })?;
    let reader = &scene.cast.treasury;
    let reading = secret()?;
    report.step(reader.name, "registers a key to read with", || {
        let msg = register_reader(&reader.chain().id, &reader.address, 0, now()? + WEEK, &reading, &random()?);
        Ok(((), Some(reader.tx(any(&msg))?)))
    })?;
    report.step(name, "grants with what came back; the reader has the same key", || {
        let known = QueryReader { account: reader.address.clone(), epoch: 0, latest: true };
        let known = patient.party.ask(&known)?.context("the reader has no key")?;
        let finding = scene.manifest.output.findings.first().context("the model has no finding")?;
        let terms = Terms {
            sealed: false,
            findings: Vec::new(),
            bits: 0,
            ..terms(&reader.address, scene.model, &finding.id, 1)?
        };
        let (granted, tx) = patient.grant(record, terms, &[known], false)?;
        let grant = QueryGrant { granter: owner.clone(), grant: granted.number };
        let wrap = reader.ask(&grant)?.and_then(|row| row.grant).context("there is no such grant")?.wrap;
        let opened = Wrap::from_bytes(&wrap)?.of(0).context("the wrap is for nobody")?.open(&reading);
        ensure!(opened == record.content, "the reader has another key");
        Ok(((), Some(tx)))
    })
}
