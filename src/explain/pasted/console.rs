//! URLs of the AWS console:
//! `…/ecr/repositories/private/ACCOUNT/NAME/_/image/sha256:…/details?region=REGION`.

use super::Reading;
use super::host::Registry;
use crate::explain::question::About;
use crate::model::{Digest, ImageReference};

const PATH: &str = "/ecr/repositories/private/";

/// The repository or image of the first such URL.
pub(super) fn read(text: &str) -> Option<Vec<Reading>> {
    let (before, after) = text.split_once(PATH)?;
    let address = after
        .split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | ')'))
        .next()?;
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (account, path) = path.split_once('/')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let (name, behind) = path.split_once("/_/").unwrap_or((path.trim_end_matches('/'), ""));
    let digest = behind
        .strip_prefix("image/")
        .and_then(|rest| Digest::parse(&rest.split('/').next()?.replace("%3A", ":")));
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("region="));
    let host =
        before.rsplit("//").next().and_then(|host| host.split_once(".console.")).map(|(region, _)| region);
    let region = asked.or(host).filter(|region| region.contains('-'))?;
    let (registry_id, region, repository) = (account.to_owned(), region.to_owned(), name.to_owned());
    let registry = Registry::Ecr { registry_id: Some(registry_id.clone()), region: Some(region.clone()) };
    let about = About::Reference(ImageReference { registry_id, region, repository, tag: None, digest });
    let reading = Reading {
        registry,
        about,
        cut: None,
        repository_only: digest.is_none(),
        only_if_known: false,
        layer: None,
    };
    (is_account && !name.is_empty()).then(|| vec![reading])
}
