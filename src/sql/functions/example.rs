//! The worked example of docs/ARCHITECTURE.md for a module of SQL functions: the parts of an image reference.
//! It is compiled and tested, but not one of [`MODULES`](super::MODULES).

// ANCHOR: function
use super::call::Call;
use crate::sql::error::Result;
use crate::sql::types::values::Values;
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &["image_repository", "image_tag"];

/// Returns `None` if the name is not one of this module's.
pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    let part =
        |part: fn(&str) -> Option<&str>| call.text_to(Kind::Varchar, |text| part(text).map(str::to_owned));
    Some(match call.name {
        "image_repository" => part(|text| Some(split(text)?.0)),
        "image_tag" => part(|text| split(text)?.1),
        _ => return None,
    })
}

/// `registry/repository:tag@digest` → the repository, and the tag if there is one. Anything else is NULL, as
/// in Trino.
fn split(reference: &str) -> Option<(&str, Option<&str>)> {
    let name = reference.split('@').next()?.split_once('/')?.1;
    Some(name.split_once(':').map_or((name, None), |(repository, tag)| (repository, Some(tag))))
}
// ANCHOR_END: function

#[test]
fn a_function_gets_columns_and_gives_a_column_with_null_for_what_it_cannot_say() {
    use crate::sql::memory::Limits;
    let of = |name: &str, text: Option<&str>| {
        let args = vec![Values::constant(Kind::Varchar, text.map(str::to_owned))];
        let limits = Limits::default();
        let values = call(&Call { name, args, height: 1, now: 0, lenient: false, limits: &limits })?;
        Some(values.unwrap().texts().unwrap().get(0).map(str::to_owned))
    };
    let reference = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1@sha256:00";
    assert_eq!(of("image_repository", Some(reference)), Some(Some("shop/api".to_owned())));
    assert_eq!(of("image_tag", Some(reference)), Some(Some("v1".to_owned())));
    for nothing in [None, Some("no reference"), Some("registry/shop/api@sha256:00")] {
        assert_eq!(of("image_tag", nothing), Some(None), "{nothing:?}");
    }
    assert!(NAMES.iter().all(|name| of(name, None).is_some()) && of("url_decode", None).is_none());
}
