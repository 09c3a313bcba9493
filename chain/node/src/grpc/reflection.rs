//! `grpc.reflection.v1.ServerReflection`, and v1alpha, which has the same messages under another name.
//!
//! Files are told as they were compiled, with the options that are extensions: those say where REST answers and who signs.

use std::time::Duration;

use aceso_proto::pool;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use prost_reflect::FileDescriptor;
use tonic::{Code, Status, Streaming, server::StreamingService};

/// Where it is asked.
pub(super) const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// How long a client may take for its next question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions of one stream.
const QUESTIONS: usize = 1000;

/// `ServerReflectionRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Request {
    #[prost(string, tag = "1")]
    pub(super) host: String,
    #[prost(oneof = "Question", tags = "3, 4, 5, 6, 7")]
    pub(super) question: Option<Question>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(super) enum Question {
    #[prost(string, tag = "3")]
    File(String),
    #[prost(string, tag = "4")]
    Symbol(String),
    #[prost(message, tag = "5")]
    Extension(Extension),
    #[prost(string, tag = "6")]
    Extensions(String),
    #[prost(string, tag = "7")]
    Services(String),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Extension {
    #[prost(string, tag = "1")]
    pub(super) of: String,
    #[prost(int32, tag = "2")]
    pub(super) number: i32,
}

/// `ServerReflectionResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Response {
    #[prost(string, tag = "1")]
    pub(super) host: String,
    #[prost(message, optional, tag = "2")]
    pub(super) request: Option<Request>,
    #[prost(oneof = "Answer", tags = "4, 5, 6, 7")]
    pub(super) answer: Option<Answer>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(super) enum Answer {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "5")]
    Numbers(Numbers),
    #[prost(message, tag = "6")]
    Services(Services),
    #[prost(message, tag = "7")]
    Error(Failed),
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) files: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Numbers {
    #[prost(string, tag = "1")]
    pub(super) of: String,
    #[prost(int32, repeated, tag = "2")]
    pub(super) numbers: Vec<i32>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Services {
    #[prost(message, repeated, tag = "1")]
    pub(super) services: Vec<Service>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Service {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Failed {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// The service.
pub(super) struct Server;

impl StreamingService<Bytes> for Server {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let answers = stream::unfold(request.into_inner(), |mut questions| async {
            let next = tokio::time::timeout(PATIENCE, questions.message()).await;
            let answer = match next {
                Ok(Ok(Some(question))) => answer(question),
                Ok(Ok(None)) | Err(_) => return None,
                Ok(Err(status)) => Err(status),
            };
            Some((answer, questions))
        });
        std::future::ready(Ok(tonic::Response::new(answers.take(QUESTIONS).boxed())))
    }
}

/// Answers one question.
fn answer(question: Bytes) -> Result<Bytes, Status> {
    let request = Request::decode(question).map_err(|e| Status::invalid_argument(e.to_string()))?;
    let missing = |what: &str| {
        let what = what.chars().take(128).collect::<String>();
        Answer::Error(Failed { code: Code::NotFound.into(), message: format!("{what} is not declared here") })
    };
    let file = |found: Option<FileDescriptor>, what: &str| match found {
        Some(file) => Answer::Files(Files { files: vec![file.encode_to_vec().into()] }),
        None => missing(what),
    };
    let answer = match &request.question {
        None => return Err(Status::invalid_argument("the request asks nothing")),
        Some(Question::File(name)) => file(pool().get_file_by_name(name), name),
        Some(Question::Symbol(name)) => file(declares(name), name),
        Some(Question::Extension(Extension { of, number })) => file(extends(of, *number), of),
        Some(Question::Extensions(name)) => match pool().get_message_by_name(name) {
            Some(message) => {
                let numbers = message.extensions().filter_map(|extension| extension.number().try_into().ok()).collect();
                Answer::Numbers(Numbers { of: name.clone(), numbers })
            }
            None => missing(name),
        },
        Some(Question::Services(_)) => {
            let services = pool().services().filter(super::is_asked);
            let services = services.map(|service| Service { name: service.full_name().into() }).collect();
            Answer::Services(Services { services })
        }
    };
    let response = Response { host: request.host.clone(), request: Some(request), answer: Some(answer) };
    Ok(response.encode_to_vec().into())
}

/// The file that declares a name, or what the name is a part of: a method of a service, a field or a value.
fn declares(name: &str) -> Option<FileDescriptor> {
    let whole = |name: &str| {
        let pool = pool();
        let found = pool.get_message_by_name(name).map(|found| found.parent_file());
        let found = found.or_else(|| pool.get_service_by_name(name).map(|found| found.parent_file()));
        let found = found.or_else(|| pool.get_enum_by_name(name).map(|found| found.parent_file()));
        found.or_else(|| pool.get_extension_by_name(name).map(|found| found.parent_file()))
    };
    whole(name).or_else(|| {
        let (parent, part) = name.rsplit_once('.')?;
        let pool = pool();
        let has = pool.get_service_by_name(parent).is_some_and(|it| it.methods().any(|it| it.name() == part))
            || pool.get_message_by_name(parent).is_some_and(|it| it.get_field_by_name(part).is_some())
            || pool.get_enum_by_name(parent).is_some_and(|it| it.get_value_by_name(part).is_some());
        has.then(|| whole(parent)).flatten()
    })
}

/// The file that extends a message by a number.
fn extends(of: &str, number: i32) -> Option<FileDescriptor> {
    let number = u32::try_from(number).ok()?;
    Some(pool().get_message_by_name(of)?.get_extension(number)?.parent_file())
}
