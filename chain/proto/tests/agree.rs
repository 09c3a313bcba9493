//! The declarations and the types of `chain/types`, which have their tags in Rust, say the same: every message of ours is
//! declared, every declared one of ours has its type, with the same fields, tags, kinds and names, and so have services.
//!
//! A message is filled from its declaration, each field with a value of its own, read by the Rust type and written again:
//! what the type does not know is lost on the way, and what only the type knows stands in its printed form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fmt::Debug, path::Path};

use aceso_proto::pool;
use aceso_types::{
    msg::{self, Named},
    query::{self, Asked},
};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// More than fits 32 bits; what has fewer keeps the lowest.
const WIDE: u64 = 1 << 40 | 1;

/// What a field holds in the filled message: its bytes as sent, as a type must write them again, and as it prints them.
struct Filled {
    sent: Vec<u8>,
    kept: Vec<u8>,
    shown: Option<String>,
}

fn fill(field: &FieldDescriptor) -> Filled {
    let tag = field.number();
    let key = |wire| {
        let mut bytes = Vec::new();
        encode_key(tag, wire, &mut bytes);
        bytes
    };
    let varint = |value: u64| {
        let mut bytes = key(WireType::Varint);
        encode_varint(value, &mut bytes);
        bytes
    };
    let lengthy = |value: &[u8]| {
        let mut bytes = key(WireType::LengthDelimited);
        encode_varint(value.len() as u64, &mut bytes);
        [bytes, value.to_vec()].concat()
    };
    let same = |bytes: Vec<u8>, shown: String| Filled { sent: bytes.clone(), kept: bytes, shown: Some(shown) };
    let narrow = |shown: String| Filled { sent: varint(WIDE), kept: varint(1), shown: Some(shown) };
    match field.kind() {
        Kind::Uint64 => same(varint(WIDE + u64::from(tag)), (WIDE + u64::from(tag)).to_string()),
        Kind::Uint32 => narrow("1".into()),
        Kind::Bool => narrow("true".into()),
        Kind::Enum(of) => narrow(variant(&of, 1)),
        Kind::String => same(lengthy(format!("t{tag}").as_bytes()), format!("\"t{tag}\"")),
        // No text begins so.
        Kind::Bytes => same(lengthy(&[0xff, u8::try_from(tag).unwrap()]), format!("255,{tag}")),
        Kind::Message(of) => {
            let inner: Vec<Filled> = fields(&of).iter().map(fill).collect();
            let sent: Vec<u8> = inner.iter().flat_map(|field| field.sent.clone()).collect();
            let kept: Vec<u8> = inner.iter().flat_map(|field| field.kept.clone()).collect();
            Filled { sent: lengthy(&sent), kept: lengthy(&kept), shown: None }
        }
        other => panic!("{}: no type of ours has {other:?}", field.full_name()),
    }
}

/// A value's name in Rust: `BLOB_STATUS_AVAILABLE` of `BlobStatus` is `Available`.
fn variant(of: &EnumDescriptor, number: i32) -> String {
    let part = |(at, c): (usize, char)| if at > 0 && c.is_uppercase() { format!("_{c}") } else { c.to_string() };
    let prefix = of.name().char_indices().map(part).collect::<String>().to_uppercase();
    let value = of.get_value(number).unwrap();
    let name = value.name().strip_prefix(&format!("{prefix}_")).unwrap();
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    name.split('_').map(word).collect()
}

/// In the order of their tags, which is that of the wire.
fn fields(of: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let mut fields: Vec<_> = of.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    fields
}

fn agree<T: Message + Default + Debug>(name: &str) {
    let declared = pool().get_message_by_name(name).unwrap_or_else(|| panic!("{name} is not declared"));
    let fields = fields(&declared);
    let filled: Vec<Filled> = fields.iter().map(fill).collect();
    let sent: Vec<u8> = filled.iter().flat_map(|field| field.sent.clone()).collect();
    let kept: Vec<u8> = filled.iter().flat_map(|field| field.kept.clone()).collect();
    let read = T::decode(sent.as_slice()).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(hex::encode(read.encode_to_vec()), hex::encode(kept), "{name}: a field is lost or of another width");
    let members = members(&format!("{read:#?}"));
    let names: Vec<&str> = members.iter().map(|(member, _)| member.as_str()).collect();
    let all: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
    assert_eq!(names, all, "{name}");
    for ((field, filled), (_, value)) in fields.iter().zip(&filled).zip(&members) {
        let several = field.is_list() || field.kind() == Kind::Bytes;
        assert_eq!(value.starts_with('['), several, "{}: {value}", field.full_name());
        if let Some(shown) = &filled.shown {
            let value = value.trim_start_matches('[').trim_end_matches(']');
            assert_eq!(value, shown, "{}", field.full_name());
        }
    }
}

/// The members of a printed message, which stand four spaces in, each with its value without spaces and line ends.
fn members(printed: &str) -> Vec<(String, String)> {
    let mut members: Vec<(String, String)> = Vec::new();
    for line in printed.lines() {
        match line.strip_prefix("    ") {
            Some(line) if line.starts_with(|c: char| c.is_ascii_lowercase()) => {
                let (name, value) = line.split_once(": ").unwrap();
                members.push((name.trim_start_matches("r#").into(), value.into()));
            }
            Some(line) => members.last_mut().unwrap().1.push_str(line.trim()),
            None => {}
        }
    }
    let plain = |value: &str| value.trim_end_matches(',').replace(",]", "]");
    members.into_iter().map(|(name, value)| (name, plain(&value))).collect()
}

fn named<T: Named + Debug>() -> String {
    let name = T::TYPE_URL.strip_prefix('/').unwrap();
    agree::<T>(name);
    name.into()
}

/// A question: its method has it and its answer. Answers the method's name and those of both.
fn asked<T: Asked<Answer: Debug> + Debug>(package: &str, request: &str, answer: &str) -> (String, [String; 2]) {
    let (service, method) = T::PATH.strip_prefix('/').unwrap().rsplit_once('/').unwrap();
    let service = pool().get_service_by_name(service).unwrap_or_else(|| panic!("{} is not declared", T::PATH));
    let method = service.methods().find(|found| found.name() == method).unwrap_or_else(|| panic!("{}", T::PATH));
    let (input, output) = (method.input(), method.output());
    assert_eq!((input.name(), output.name(), input.package_name()), (request, answer, package), "{}", T::PATH);
    agree::<T>(input.full_name());
    agree::<T::Answer>(output.full_name());
    (method.full_name().into(), [input.full_name().into(), output.full_name().into()])
}

macro_rules! all_named {
    ($($message:ident)*) => { vec![$(named::<msg::$message>()),*] };
}

macro_rules! all_asked {
    ($($package:literal: $($request:ident => $answer:ident),*;)*) => {
        vec![$($(asked::<query::$request>($package, stringify!($request), stringify!($answer))),*),*]
    };
}

macro_rules! all_parts {
    ($($package:literal: $($module:ident::$part:ident)*;)*) => {
        vec![$($({
            let name = format!("{}.{}", $package, stringify!($part));
            agree::<$module::$part>(&name);
            name
        }),*),*]
    };
}

#[test]
fn every_message_of_ours_is_declared_as_it_is() {
    let messages = all_named! {
        MsgRegisterBlob MsgRegisterBlobResponse MsgRegisterModel MsgRegisterModelResponse MsgRegisterImage
        MsgRegisterImageResponse MsgAttest MsgSetValidator MsgSetValidatorResponse MsgRegisterAttester
        MsgRegisterAttesterResponse MsgUpdateParams MsgUpdateParamsResponse MsgScheduleUpgrade
        MsgScheduleUpgradeResponse MsgCancelUpgrade MsgCancelUpgradeResponse MsgRegisterReader
        MsgRegisterReaderResponse MsgRegisterSealed MsgRegisterSealedResponse MsgRetireSealed MsgRetireSealedResponse
        MsgGrant MsgGrantResponse MsgRevokeGrant MsgRevokeGrantResponse MsgBreakGlass MsgBreakGlassResponse
        MsgRequestRead MsgRequestReadResponse MsgSubmitShare MsgSubmitShareResponse MsgDispute MsgDisputeResponse
    };
    let questions = all_asked! {
        "aceso.models.v1": QueryModel => ModelRow, QueryModels => ModelRows;
        "aceso.blobs.v1": QueryBlob => BlobRow;
        "aceso.reads.v1": QueryImage => ImageRow, QueryImages => ImageRows, QueryReceipt => ReceiptRow,
            QueryReceipts => ReceiptRows, QueryJournal => JournalRows, QueryUses => UsesRow, QueryReader => ReaderRow,
            QueryRecord => RecordRow, QueryRecords => RecordRows, QueryGrant => GrantRow, QueryGrants => GrantRows,
            QueryReviews => ReviewRows, QueryJob => JobRow, QueryJobs => JobRows, QueryRoot => RootRow,
            QueryResults => ResultRows, QueryConduct => ConductRow;
        "aceso.validators.v1": QueryValidators => ValidatorRows, QueryValidator => ValidatorRow,
            QueryUpgrade => UpgradeRow;
    };
    let parts = all_parts! {
        "aceso.query.v1": query::Page;
        "aceso.reads.v1": msg::SignedOrigin msg::Availability msg::Extension msg::Reads msg::Held msg::SealedFile
            msg::Recipient msg::PassedOn msg::Acceptance msg::Share msg::JobOutcome msg::Conflict msg::RootShare
            msg::RootSigned query::ReviewRow query::MemberRow query::ResultRow query::Disputed;
        "aceso.validators.v1": query::MisbehaviorRow query::UpgradeDone;
    };
    let (methods, of_questions): (BTreeSet<String>, Vec<_>) = questions.into_iter().unzip();
    let held: BTreeSet<String> =
        messages.iter().cloned().chain(parts).chain(of_questions.into_iter().flatten()).collect();
    let ours = |name: &str| name.starts_with("aceso.");
    let declared: BTreeSet<String> =
        pool().all_messages().map(|message| message.full_name().to_owned()).filter(|name| ours(name)).collect();
    assert_eq!(held, declared);
    assert_eq!(declared.len(), types_in_rust(), "a type of the wire in chain/types is not declared, or the other way");

    // Services name just these: questions by their paths, messages with their answers.
    let services = || pool().services().filter(|service| ours(service.full_name()));
    for method in services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if method.parent_service().name() == "Query" {
            assert!(methods.contains(method.full_name()), "{}", method.full_name());
            continue;
        }
        let (input, output) = (method.input().full_name().to_owned(), method.output().full_name().to_owned());
        assert!(messages.contains(&input) && output == format!("{input}Response"), "{}", method.full_name());
        assert_eq!(method.input().name(), format!("Msg{}", method.name()));
    }
    let sent = messages.iter().filter(|name| messages.contains(&format!("{name}Response"))).count();
    let of_messages = services().filter(|service| service.name() == "Msg").map(|service| service.methods().len());
    assert_eq!(of_messages.sum::<usize>(), sent);
}

/// How many messages the wire of ours has, counted where they are derived.
fn types_in_rust() -> usize {
    let source = Path::new("../types/src");
    let of = |file: &Path| {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter(|line| line.ends_with("prost::Message)]")).count()
    };
    let folder = |name: &str| {
        let files = std::fs::read_dir(source.join(name)).unwrap();
        files.map(|file| of(&file.unwrap().path())).sum::<usize>()
    };
    of(&source.join("msg.rs")) + of(&source.join("query.rs")) + folder("msg") + folder("query")
}

#[test]
fn enumerations_have_the_same_values() {
    fn values<T: TryFrom<i32> + Debug>(name: &str) {
        let declared = pool().get_enum_by_name(name).unwrap();
        for value in declared.values() {
            let ours = T::try_from(value.number()).unwrap_or_else(|_| panic!("{}", value.full_name()));
            assert_eq!(format!("{ours:?}"), variant(&declared, value.number()));
        }
        let count = i32::try_from(declared.values().len()).unwrap();
        assert!(T::try_from(count).is_err(), "{name}: a value is not declared");
    }
    values::<query::ModelStatus>("aceso.models.v1.ModelStatus");
    values::<query::BlobStatus>("aceso.blobs.v1.BlobStatus");
    values::<query::JobStatus>("aceso.reads.v1.JobStatus");
    values::<msg::Disclose>("aceso.reads.v1.Disclose");
    assert_eq!(pool().all_enums().filter(|found| found.full_name().starts_with("aceso.")).count(), 4);
}

#[test]
fn every_message_of_a_transaction_says_who_signs_it() {
    let extension = |name: &str| pool().get_extension_by_name(name).unwrap();
    let (signer, name) = (extension("cosmos.msg.v1.signer"), extension("amino.name"));
    let services = pool().services().filter(|found| found.name() == "Msg" && found.full_name().starts_with("aceso."));
    for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let (message, options) = (method.input(), method.input().options());
        let signers = options.get_extension(&signer).into_owned();
        let signers = signers.as_list().unwrap();
        assert!(!signers.is_empty(), "{}", message.full_name());
        for signer in signers {
            assert!(message.get_field_by_name(signer.as_str().unwrap()).is_some(), "{}", message.full_name());
        }
        assert_eq!(options.get_extension(&name).as_str(), Some(&*format!("aceso/{}", message.name())));
    }
}
