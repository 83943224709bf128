//! Alibaba Cloud's control APIs, RPC style (control-plane.md §5).
//!
//! A version names a product, and each product has a module of its own. Query
//! and form are one: of a name that comes twice the later value counts, as it
//! is that which was signed.

mod answer;
mod call;
mod ecr;
mod failure;
mod smartag;
mod xml;

use axum::response::Response;
use serde_json::{Map, Value};

use answer::{Format, Frame};
use call::Call;
use failure::Failure;

use super::control::Request;

/// What an answer tells, in the order in which it is written.
type Tree = Map<String, Value>;

/// Answers a request in its format.
pub(super) async fn answer(request: &Request<'_>) -> Response {
    let (raw, scheme) = (request.raw, request.scheme);
    let arrived = raw.arrived();
    let format = Format::of(scheme, &arrived);
    let version = scheme.version(&arrived);
    let frame = Frame {
        format: format.unwrap_or_default(),
        request: request.id,
        host: raw.header("host").unwrap_or_default(),
        product: version.and_then(product),
    };
    let action = scheme.action(&arrived);
    let answered = match (&request.verdict, format, action, version) {
        (Err(rejection), ..) => Err(Failure::rejected(rejection, scheme)),
        (Ok(_), None, ..) => Err(Failure::format()),
        (Ok(_), _, None | Some(""), _) => Err(Failure::mandatory("Action")),
        (Ok(_), _, _, None | Some("")) => Err(Failure::mandatory("Version")),
        (Ok(proof), Some(_), Some(action), Some(smartag::VERSION)) => {
            smartag::answer(request, *proof, action).await
        }
        (Ok(proof), Some(_), Some(action), Some(ecr::VERSION)) => {
            ecr::answer(request, *proof, action).await
        }
        (Ok(_), Some(_), Some(_), Some(_)) => Err(Failure::invalid("Version")),
    };
    match answered {
        Ok(tree) => frame.answer(action.unwrap_or_default(), tree),
        Err(failure) => frame.failure(failure),
    }
}

/// The product of a version, as errors name it.
fn product(version: &str) -> Option<&'static str> {
    match version {
        smartag::VERSION => Some(smartag::PRODUCT),
        ecr::VERSION => Some(ecr::PRODUCT),
        _ => None,
    }
}
