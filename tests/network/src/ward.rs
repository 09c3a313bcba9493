//! Sealed records on a network: a patient's file, granted to all validators as a committee, and what is asked of it.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    process::{Child, Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use aceso_client::{
    GasLimit, SealedRead, any, random,
    sealed::{Giving, Opens, register},
};
use aceso_inference::image::{self, Limits};
use aceso_seal::KeyStore;
use aceso_types::{
    BlobId, Digest, ModelId,
    msg::{
        MsgDisputeResponse, MsgRegisterSealedResponse, MsgRequestRead, MsgRequestReadResponse, MsgRevokeGrant,
        SealedFile,
    },
    query::{JobRow, JobStatus, QueryReader, QueryRecord, QueryValidators, ReaderRow, RecordRow},
    sealed::{Disclosure, Outcome, Statement, Terms},
};
use aceso_verify::grant::{ContentPoint, SecretKey};
use anyhow::{Context, Result, ensure};

use crate::{
    clinic::{BODY_PART, Clinic, MODALITY, Visitor},
    net::{Net, Node},
};

/// How long a grant holds, in seconds.
const DAY: u64 = 86_400;
/// Reads that it allows.
const USES: u32 = 1_000_000;
/// What a patient's store calls her only image.
const IMAGE: &str = "image";
/// For how many blocks a file is everybody's that is disputed.
const DISPUTED: u64 = 1_000;
/// A patient's first grant.
const GRANT: u64 = 1;
/// Requests of one transaction, the gas that each of them is given, and that of the transaction itself: so many take nearly
/// all that a block has.
const MANY: u64 = 250;
const ASK_GAS: u64 = 780_000;
const TX_GAS: u64 = 200_000;

/// Registers a key to open with for every validator's operator, as operators do it, all at once.
pub(crate) fn staff(net: &Net) -> Result<()> {
    let register = |node: &Node| {
        let mut command = Command::new(&node.program);
        command.args(["opener", "register", "--home"]).arg(&node.home);
        command.arg("--from").arg(node.home.join("keys/operator.mnemonic"));
        command.args(["--node", &node.rpc, "--rest", &node.rest]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the node")
    };
    let started: Vec<Child> = net.nodes.iter().map(register).collect::<Result<_>>()?;
    for (node, child) in net.nodes.iter().zip(started) {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "no opener key for validator {}: {said}", node.number);
    }
    Ok(())
}

/// A sealed record of a patient's.
pub(crate) struct Ward {
    patient: Visitor,
    key: SecretKey,
    pub(crate) content: ContentPoint,
    record: RecordRow,
    /// The sealed file and its name.
    pub(crate) file: Vec<u8>,
    cid: BlobId,
    terms: Terms,
    /// What nobody but the patient and her committee may ever see, by its name.
    pub(crate) secrets: Vec<(&'static str, Vec<u8>)>,
}

/// What a committee has said of a job.
pub(crate) struct Said {
    pub(crate) row: JobRow,
    pub(crate) statement: Statement,
    pub(crate) outcome: Outcome,
}

impl Said {
    /// What a job that is done came to.
    pub(crate) fn of(row: JobRow) -> Result<Self> {
        ensure!(row.status() == JobStatus::Done, "job {} is {:?}", row.job, row.status());
        let outcome = row.outcome.as_ref().context("it has no outcome")?;
        Ok(Self { statement: Statement::decode(&row.statement)?, outcome: Outcome::decode(&outcome.outcome)?, row })
    }
}

impl Ward {
    /// Seals a picture of no more than a leaf, registers it and lets the physician ask all validators that can open it.
    /// The file itself is stored nowhere.
    pub(crate) fn open(patient: Visitor, physician: &str, clinic: &Clinic, picture: &[u8]) -> Result<Self> {
        let (master, nonce, salt): ([u8; 32], [u8; 32], [u8; 32]) = (random()?, random()?, random()?);
        let (mut store, content) = (KeyStore::new(master), ContentPoint::generate(&random()?));
        store.add(IMAGE, nonce)?;
        let key = store.key(IMAGE)?;
        let secrets = vec![
            ("K", content.to_bytes().to_vec()),
            ("the patient's key of the image", key.to_bytes().to_vec()),
            ("the patient's master secret", master.to_vec()),
            ("the image's nonce", nonce.to_vec()),
            ("the image's account", store.account(IMAGE)?.to_vec()),
            ("the file's key", content.key(&[&b"aceso/seal/file/1"[..], &salt].concat()).to_vec()),
        ];
        let (about, length) = (("image/png", BTreeMap::new()), picture.len() as u64);
        let file = aceso_seal::seal(&content, &patient.address, salt, about, picture, length, Vec::new())?;
        ensure!(file.len() <= aceso_seal::LEAF, "the file has {} bytes, which is more than a leaf", file.len());
        let cid = BlobId::of_raw(&file);

        let chain = &patient.client.chain().id;
        let files = vec![SealedFile {
            cid: cid.to_string(),
            size: file.len() as u64,
            modality: MODALITY.into(),
            body_part: BODY_PART.into(),
            // What is no picture is read by nobody.
            effort: image::effort(picture, Limits::default()).unwrap_or_default(),
        }];
        let registered = patient.tx(any(&register(chain, &patient.address, files, &key, &content, &random()?)))?;
        let record = registered.response::<MsgRegisterSealedResponse>(0)?.record;
        let record = QueryRecord { record, ..QueryRecord::default() };
        let record = patient.client.ask(&record)?.context("there is no such record")?;

        let terms = terms(physician, clinic)?;
        let giving = Giving {
            chain_id: chain,
            granter: &patient.address,
            number: GRANT,
            record: &record,
            from: None,
            to: &openers(&patient)?,
            committee: true,
            expires: now()? + DAY,
            terms: &terms,
        };
        patient.tx(any(&giving.prove(&key, random()?, &random()?)?))?;
        Ok(Self { patient, key, content, record, file, cid, terms, secrets })
    }

    /// Puts the file where the committee finds it.
    pub(crate) fn store(&self) -> Result<()> {
        let (cid, _) = self.patient.client.put_blob(&self.file[..])?;
        ensure!(cid == self.cid, "{cid} was put, and {} is registered", self.cid);
        Ok(())
    }

    /// What an account or a contract asks of the committee for somebody.
    pub(crate) fn request(
        &self,
        requester: &str,
        actor: &str,
        model: ModelId,
        disclosure: &Disclosure,
        deadline: u64,
    ) -> MsgRequestRead {
        let owner = &self.patient.address;
        SealedRead {
            requester,
            actor,
            model,
            owner,
            image: self.cid,
            frame: aceso_types::Frame::FIRST,
            grant: (owner, GRANT),
            terms: &self.terms,
            purpose: "TREAT",
            disclosure,
            deadline,
        }
        .message()
    }

    /// Has somebody ask so often for the same, and not wait for it; answers with the jobs' numbers.
    pub(crate) fn ask(
        &self,
        by: &Visitor,
        model: ModelId,
        disclosure: &Disclosure,
        times: u64,
        deadline: u64,
    ) -> Result<RangeInclusive<u64>> {
        let request = any(&self.request(&by.address, &by.address, model, disclosure, deadline));
        let (mut left, mut first, mut last) = (times, None, 0);
        while left > 0 {
            let now = left.min(MANY);
            let many = usize::try_from(now)?;
            let sent = by.client.send(&by.key, vec![request.clone(); many], GasLimit::Fixed(TX_GAS + now * ASK_GAS))?;
            let job = |at: usize| anyhow::Ok(sent.response::<MsgRequestReadResponse>(at)?.job);
            first = first.or(Some(job(0)?));
            last = job(many - 1)?;
            left -= now;
        }
        Ok(first.context("nothing was asked")?..=last)
    }

    /// Has everybody compute a job again, for whom the file has to be there. The record's secrecy ends with it.
    pub(crate) fn dispute(&self, by: &Visitor, job: u64) -> Result<MsgDisputeResponse> {
        by.publish(&self.file, DISPUTED)?;
        // No key of a grant is asked for: it is opened with the owner's own.
        let opens = Opens::find(&self.record, None, &self.key, |_| Ok(Vec::new()))?;
        let opens = opens.context("the key does not open the record")?;
        let said = by.tx(any(&opens.dispute(&by.client.chain().id, &by.address, job, &random()?)))?;
        Ok(said.response(0)?)
    }

    /// The patient takes the committee's grant back.
    pub(crate) fn revoke(&self) -> Result<()> {
        let (sender, granter) = (self.patient.address.clone(), self.patient.address.clone());
        self.patient.tx(any(&MsgRevokeGrant { sender, granter, grant: GRANT }))?;
        Ok(())
    }
}

fn terms(physician: &str, clinic: &Clinic) -> Result<Terms> {
    Ok(Terms {
        salt: Digest(random()?),
        not_before: now()? - DAY,
        uses: USES,
        findings: vec![clinic.finding.clone()],
        bits: 1,
        rewrap: false,
        ..aceso_test_support::terms(&[physician])
    })
}

/// The keys that all validators' operators open with.
fn openers(by: &Visitor) -> Result<Vec<ReaderRow>> {
    let validators = by.client.ask(&QueryValidators::default())?.context("there are no validators")?;
    let reader = |operator: &String| {
        let latest = QueryReader { account: operator.clone(), epoch: 0, latest: true };
        by.client.ask(&latest)?.with_context(|| format!("{operator} has no key to open with"))
    };
    validators.rows.iter().map(|row| reader(&row.operator)).collect()
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
