//! What must be refused, each with its code and its sentence; and that nothing changes by it but fee, sequence and the
//! journal.

use aceso_client::{ClientError, TxResult};
use aceso_consent::msg as consent;
use aceso_insurance::msg as insurance;
use aceso_interface::{
    consent::{Decision, Rule},
    insurance::Party as Payee,
};
use aceso_types::{
    BlobId, Manifest, ModelId,
    manifest::Onnx,
    query::{QueryModel, QueryUses},
};
use anyhow::{Context, Result, ensure};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{QueryAllContractStateRequest, QueryAllContractStateResponse};

use crate::{
    float_model,
    parties::Party,
    play::{self, PRICE, SPLIT, Scene, create_policy, grant, image_message, origin, register_image, request, rule},
    report::{Came, Expected, Report, came},
    sample::{self, Again},
};

/// Contract errors: codespace and code as wasmd has them.
const CONTRACT: Option<(&str, u32)> = Some(("wasm", 5));

/// SDK gas that a read may cost at most before it is refused: a few calls of the host.
const NOTHING: u64 = 20_000;

/// What may not change: both contracts' rows, what everybody but those who ask owns, and how often grants were used.
#[derive(PartialEq)]
struct Ledger {
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    balances: Vec<u128>,
    uses: Vec<u32>,
}

/// Plays every refusal.
pub(crate) fn all(report: &mut Report, scene: &Scene, contracts: &std::path::Path) -> Result<()> {
    let Scene { cast, consent, insurance, model, .. } = scene;
    let (patient, physician, hospital, insurer) = (&cast.patient, &cast.physician, &cast.hospital, &cast.insurer);
    let one_use = || rule(physician, &[*model]);
    let other_model = register_other(scene)?;
    let both = [*model, other_model];
    let (second_policy, _) = create_policy(cast, insurance, &both, PRICE, 10 * PRICE, &SPLIT, None)?;
    let (poor_policy, _) = create_policy(cast, insurance, &[*model], PRICE, PRICE - 1, &SPLIT, None)?;
    // Here no share depends on who vouches for the image, only the policy's own demand does.
    let whole = [(Payee::Treasury {}, 10_000)];
    let (strict_policy, _) = create_policy(cast, insurance, &[*model], PRICE, 10 * PRICE, &whole, None)?;
    let (probe, _) =
        cast.developer.instantiate(cast.developer.store(contracts, "probe")?.0, "probe", &serde_json::json!({}))?;
    let freelook = {
        let (code, _) = cast.developer.store(contracts, "freelook")?;
        cast.developer.instantiate(code, "freelook", &serde_json::json!({}))?.0
    };
    let read_price = u128::from(scene.manifest.price.amount);
    cast.developer.tx(cast.developer.msg_send(&cast.developer.address, &freelook, 10 * read_price))?;
    cast.developer.tx(cast.developer.msg_send(&cast.developer.address, &probe, 10 * read_price))?;

    let last_grant = std::cell::Cell::new(scene.grants);
    // A synthetic image of the patient's, vouched for, guarded by the consent contract.
    let image = |index: u32| -> Result<(BlobId, Vec<u8>)> {
        let file = sample::synthetic(index)?.file;
        let word = origin(hospital, &file, &format!("study {index}"))?;
        register_image(patient, &file, None, consent, Some(word))?;
        Ok((patient.put_blob(&file[..])?.0, file))
    };
    let granted = |image: BlobId| -> Result<u64> {
        grant(patient, consent, &[image], one_use()?)?;
        last_grant.set(last_grant.get() + 1);
        Ok(last_grant.get())
    };
    let ledger = || Ledger::read(scene, [&probe, &freelook], last_grant.get(), false);
    // Where the read itself ran, its fee has gone from the contract to the author and the use is counted: both are
    // the journal's. What the two own together stays.
    let journalled = || Ledger::read(scene, [&probe, &freelook], last_grant.get(), true);
    // Where the read has shown that nothing is to be paid, the counter says so and the policy bears the read's fee.
    let policies = [scene.policy, second_policy, poor_policy, strict_policy];
    let unpaid = || Unpaid::read(scene, &policies);

    let (used, _) = image(18)?;
    grant(patient, consent, &[used], rule(physician, &both)?)?;
    last_grant.set(last_grant.get() + 1);
    request(physician, insurance, second_policy, used, *model)?;
    let expected = Expected { code: CONTRACT, words: "is used up: 1 of 1" };
    report.refusal("second use of a one-use grant", &expected, ledger, || {
        came(request(physician, insurance, second_policy, used, other_model))
    })?;

    let (revoked, _) = image(20)?;
    let number = granted(revoked)?;
    let msg = consent::ExecuteMsg::Revoke { grant: number };
    patient.tx(patient.msg_execute(&patient.address, consent, &msg, 0))?;
    let expected = Expected { code: CONTRACT, words: "was revoked at" };
    report.refusal("revoked consent", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, revoked, *model))
    })?;

    // Loading the model is paid by whoever loads it; what the read itself would cost is not spent.
    let loads = serde_json::json!({"take": {"steps": [{"load_by_name": {"model": model}}]}});
    let loading = physician.try_execute(&probe, &loads)?.gas_used;
    let expected = Expected { code: Some(("aceso", 205)), words: "permit" };
    report.refusal("a contract that reads without a permit", &expected, ledger, || {
        let read = serde_json::json!({"model": model, "image": scene.image, "purpose": "TREAT"});
        let result = physician.try_execute(&probe, &serde_json::json!({"take": {"steps": [{"read": read}]}}));
        if let Err(ClientError::Refused { gas_used, .. }) = &result {
            ensure!(*gas_used < loading + NOTHING, "it used {gas_used} gas, and loading the model alone {loading}");
        }
        came(result)
    })?;

    let (fresh, _) = image(22)?;
    granted(fresh)?;
    let expected = Expected { code: CONTRACT, words: "is not for model" };
    report.refusal("another model than granted", &expected, ledger, || {
        came(request(physician, insurance, second_policy, fresh, other_model))
    })?;
    let expected = Expected { code: CONTRACT, words: "is not for purpose" };
    report.refusal("another purpose than granted", &expected, ledger, || {
        came(play::request_for(physician, insurance, scene.policy, fresh, *model, "HRESCH"))
    })?;
    let expected = Expected { code: CONTRACT, words: "no grant lets" };
    report.refusal("somebody whom no grant names", &expected, ledger, || {
        came(request(&cast.developer, insurance, scene.policy, fresh, *model))
    })?;
    let expected = Expected { code: CONTRACT, words: "does not cover model" };
    report.refusal("a model that the policy does not cover", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, fresh, other_model))
    })?;
    let deny = Rule { decision: Decision::Deny {}, ..one_use()? };
    grant(patient, consent, &[fresh], deny)?;
    last_grant.set(last_grant.get() + 1);
    let expected = Expected { code: CONTRACT, words: "denies" };
    report.refusal("a no beside a yes", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, fresh, *model))
    })?;

    let (others, _) = {
        let file = sample::synthetic(34)?.file;
        register_image(&cast.developer, &file, None, consent, Some(origin(hospital, &file, "study 34")?))?;
        (cast.developer.put_blob(&file[..])?.0, ())
    };
    let expected = Expected { code: CONTRACT, words: "is not registered by the member" };
    report.refusal("an image of somebody who is not insured", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, others, *model))
    })?;

    granted(scene.image)?;
    let expected = Expected { code: CONTRACT, words: "is already paid, by read" };
    report.refusal("claim on an image already paid, by the same CID", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, scene.image, *model))
    })?;

    let again = rewrapped(scene)?;
    granted(again)?;
    let expected = Expected { code: None, words: "are already paid, by read" };
    report.refusal("claim on an image already paid, under another CID", &expected, unpaid, || {
        refused(request(physician, insurance, scene.policy, again, *model))
    })?;

    let nobodys = sample::synthetic(24)?.file;
    register_image(patient, &nobodys, None, consent, None)?;
    let nobodys = patient.put_blob(&nobodys[..])?.0;
    granted(nobodys)?;
    let expected = Expected { code: CONTRACT, words: "accepted institution's word" };
    report.refusal("no origin where the policy asks for one", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, nobodys, *model))
    })?;

    let other_word = {
        let file = sample::synthetic(36)?.file;
        let word = origin(hospital, &sample::synthetic(37)?.file, "study 36")?;
        register_image(patient, &file, None, consent, Some(word))?;
        patient.put_blob(&file[..])?.0
    };
    granted(other_word)?;
    let expected = Expected { code: None, words: "word does not hold" };
    report.refusal("an origin that speaks of other pixels", &expected, unpaid, || {
        refused(request(physician, insurance, strict_policy, other_word, *model))
    })?;

    let same_study = {
        let file = sample::synthetic(38)?.file;
        let word = origin(hospital, &file, play::STUDY)?;
        register_image(patient, &file, None, consent, Some(word))?;
        patient.put_blob(&file[..])?.0
    };
    granted(same_study)?;
    let expected = Expected { code: None, words: "study" };
    report.refusal("another image of a study already paid", &expected, unpaid, || {
        refused(request(physician, insurance, scene.policy, same_study, *model))
    })?;

    let missing = mismatched(scene)?;
    granted(missing)?;
    let expected = Expected { code: Some(("aceso", 105)), words: "not available" };
    report.refusal("image bytes that do not match the CID", &expected, ledger, || {
        came(request(physician, insurance, scene.policy, missing, *model))
    })?;

    let ct = sample::synthetic_ct(28);
    register_image(patient, &ct, None, consent, Some(origin(hospital, &ct, "study 28")?))?;
    let ct = patient.put_blob(&ct[..])?.0;
    granted(ct)?;
    let expected = Expected { code: Some(("aceso", 406)), words: "CT" };
    report.refusal("a CT where a chest X-ray is expected", &expected, journalled, || {
        came(request(physician, insurance, scene.policy, ct, *model))
    })?;

    let unstated = sample::synthetic(40)?.again.file;
    register_image(patient, &unstated, None, consent, Some(origin(hospital, &unstated, "study 40")?))?;
    let unstated = patient.put_blob(&unstated[..])?.0;
    granted(unstated)?;
    let expected = Expected { code: Some(("aceso", 406)), words: "neither the image nor its registration" };
    report.refusal("a PNG of which nobody states what it is", &expected, journalled, || {
        came(request(physician, insurance, scene.policy, unstated, *model))
    })?;

    let expected = Expected { code: Some(("aceso", 302)), words: "Conv" };
    let float = float_manifest(scene)?;
    cast.author.publish(&float_model::bytes())?;
    report.refusal("a model with a float op", &expected, ledger_of_models(&cast.author, float.id()), || {
        came(cast.author.register_model(&float).map(|(_, tx)| tx))
    })?;

    let (dear, _) = image(30)?;
    granted(dear)?;
    let expected = Expected { code: CONTRACT, words: "and a read costs" };
    report.refusal("escrow too low", &expected, ledger, || {
        came(request(physician, insurance, poor_policy, dear, *model))
    })?;

    let expected = Expected { code: None, words: "error" };
    report.refusal("a tampered receipt", &expected, ledger, || {
        let length = std::fs::read(&scene.receipt)?.len();
        scene.auditor.tampered(&scene.receipt, length / 2)
    })?;

    let (looked_at, _) = image(32)?;
    let number = granted(looked_at)?;
    let uses = |number: u64| play_uses(insurer, consent, number);
    let (before, earned) = (uses(number)?, cast.author.balance(&cast.author.address)?);
    let expected = Expected { code: CONTRACT, words: "would rather not pay" };
    report.refusal("a contract that reads and errors to look for free", &expected, journalled, || {
        let msg =
            serde_json::json!({"look": {"guard": consent, "image": looked_at, "model": model, "purpose": "TREAT"}});
        let came = came(physician.try_execute(&freelook, &msg))?;
        ensure!(uses(number)? == before + 1, "the use was not counted");
        let paid = cast.author.balance(&cast.author.address)? - earned;
        ensure!(paid == read_price, "the author earned {paid}, not {read_price}");
        Ok(came)
    })
}

fn play_uses(asks: &Party, guard: &str, grant: u64) -> Result<u32> {
    let question = QueryUses { guard: guard.into(), grant: grant.to_string() };
    Ok(asks.ask(&question)?.map_or(0, |row| row.uses))
}

impl Ledger {
    /// `journalled`: without what the journal keeps of a read that ran.
    fn read(scene: &Scene, others: [&String; 2], grants: u64, journalled: bool) -> Result<Self> {
        let cast = &scene.cast;
        let asks = &cast.insurer;
        let mut rows = Vec::new();
        for contract in [&scene.consent, &scene.insurance] {
            let path = "/cosmwasm.wasm.v1.Query/AllContractState";
            let request = QueryAllContractStateRequest { address: contract.clone(), pagination: None };
            let answer: QueryAllContractStateResponse = asks.query(path, &request)?;
            rows.extend(answer.models.into_iter().map(|model| (model.key, model.value)));
        }
        let author = &cast.author.address;
        let payers = [&scene.insurance, others[0], others[1], author];
        let payers = payers.iter().map(|address| Ok(asks.balance(address)?)).collect::<Result<Vec<u128>>>()?;
        let rest = [&cast.hospital, &cast.patient, &cast.treasury, &cast.insurer];
        let rest = rest.iter().map(|party| Ok(asks.balance(&party.address)?)).collect::<Result<Vec<u128>>>()?;
        if journalled {
            let together = payers.iter().sum();
            return Ok(Self { rows, balances: [vec![together], rest].concat(), uses: Vec::new() });
        }
        let uses = (1..=grants).map(|grant| play_uses(asks, &scene.consent, grant)).collect::<Result<_>>()?;
        Ok(Self { rows, balances: [payers, rest].concat(), uses })
    }
}

/// What may not change where a read was made and is not paid for: who is paid owns the same, and what the counter owns beyond
/// its policies' escrows too.
#[derive(PartialEq)]
struct Unpaid {
    paid: Vec<u128>,
    beyond: i128,
}

impl Unpaid {
    fn read(scene: &Scene, policies: &[u64]) -> Result<Self> {
        let cast = &scene.cast;
        let asks = &cast.insurer;
        let paid = [&cast.hospital, &cast.patient, &cast.treasury, &cast.insurer];
        let paid = paid.iter().map(|party| Ok(asks.balance(&party.address)?)).collect::<Result<_>>()?;
        let mut beyond = i128::try_from(asks.balance(&scene.insurance)?)?;
        for &policy in policies {
            let escrow: insurance::EscrowResponse =
                asks.smart(&scene.insurance, &insurance::QueryMsg::Escrow { policy })?;
            beyond -= i128::try_from(escrow.amount.u128())?;
        }
        let member = cast.patient.address.clone();
        let lost: insurance::LostResponse = asks.smart(&scene.insurance, &insurance::QueryMsg::Lost { member })?;
        Ok(Self { paid, beyond: beyond + i128::try_from(lost.amount.u128())? })
    }
}

/// How a read that was made is refused: in a transaction that succeeds, by an event.
fn refused(result: Result<TxResult, ClientError>) -> Result<Came> {
    let reason = |tx: &TxResult| tx.attribute("wasm-refused", "reason").map(str::to_owned);
    match &result {
        Ok(tx) if let Some(message) = reason(tx) => Ok(Came { code: None, message }),
        _ => came(result),
    }
}

/// Whether a model can be read with.
fn ledger_of_models(asks: &Party, model: ModelId) -> impl FnMut() -> Result<Option<i32>> {
    move || Ok(asks.ask(&QueryModel { model: model.to_string() })?.map(|row| row.status).filter(|&status| status == 1))
}

/// The same weights under another manifest: another model.
fn register_other(scene: &Scene) -> Result<ModelId> {
    let manifest = Manifest { name: format!("{} (another reading)", scene.manifest.name), ..scene.manifest.clone() };
    let (model, _) = scene.cast.author.register_model(&manifest)?;
    scene.cast.author.expect_admitted(model)?;
    Ok(model)
}

/// A manifest for the model that computes in floats.
fn float_manifest(scene: &Scene) -> Result<Manifest> {
    let bytes = float_model::bytes();
    let (blob, _) = scene.cast.author.put_blob(&bytes[..])?;
    Ok(Manifest { name: "float".into(), onnx: Onnx::of(blob, &bytes), ..scene.manifest.clone() })
}

/// The pixels of the main job in another file, with everything in order but that they are paid.
fn rewrapped(scene: &Scene) -> Result<BlobId> {
    let (hospital, patient) = (&scene.cast.hospital, &scene.cast.patient);
    let Again { file, stated } = &scene.samples.first.again;
    let word = origin(hospital, file, "another study of the same pixels")?;
    let (id, size) = patient.put_blob(&file[..])?;
    patient.tx(aceso_client::any(&image_message(patient, id, size, *stated, &scene.consent, Some(word))))?;
    patient.wait_available(&id)?;
    Ok(id)
}

/// The patient registers one image, and what was uploaded is another by one pixel: nobody ever holds the first.
fn mismatched(scene: &Scene) -> Result<BlobId> {
    let (hospital, patient) = (&scene.cast.hospital, &scene.cast.patient);
    let file = sample::synthetic(26)?.file;
    let id = BlobId::of_raw(&file);
    let mut uploaded = file.clone();
    *uploaded.last_mut().context("the file is empty")? ^= 1;
    ensure!(patient.put_blob(&uploaded[..])?.0 != id, "two files have one CID");
    let word = origin(hospital, &file, "study 26")?;
    let size = file.len().try_into()?;
    patient.tx(aceso_client::any(&image_message(patient, id, size, None, &scene.consent, Some(word))))?;
    Ok(id)
}
